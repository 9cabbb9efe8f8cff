//! A Docker engine that only says what it is.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

/// Starts one of this version on a free port of loopback and returns its address, in the form of `DOCKER_HOST`. It answers
/// the first questions of any client until the test ends.
#[must_use]
pub fn stub_engine(version: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let version = version.to_owned();
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            // Whoever goes away before the answer has none.
            let _ = answer(connection, &version);
        }
    });
    format!("tcp://{address}")
}

fn answer(mut connection: TcpStream, version: &str) -> std::io::Result<()> {
    let mut request = [0; 4096];
    let length = connection.read(&mut request)?;
    let is_version = String::from_utf8_lossy(&request[..length]).contains("/version");
    let body = match is_version {
        true => serde_json::json!({ "ApiVersion": "1.45", "MinAPIVersion": "1.24", "Version": version }),
        false => {
            serde_json::json!({
                "ServerVersion": version, "OSType": "linux", "Architecture": "x86_64", "Name": "stub"
            })
        }
    };
    let body = body.to_string();
    write!(
        connection,
        "HTTP/1.1 200 OK\r\nApi-Version: 1.45\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: \
         close\r\n\r\n{body}",
        body.len()
    )
}
