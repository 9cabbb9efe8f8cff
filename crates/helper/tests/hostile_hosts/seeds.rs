//! The kinds of hostile requests, each with what it is known from or aims at.

/// A kind of requests, made from the host of a true registry.
pub(crate) struct Seed {
    pub(crate) name: &'static str,
    pub(crate) make: fn(&str) -> Vec<Vec<u8>>,
}

/// Requests from texts with `HOST` where the host stands.
fn around(host: &str, texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.replace("HOST", host).into_bytes()).collect()
}

/// The host with each of `bytes` put at its beginning, in its middle and at its end.
fn with_bytes(host: &str, bytes: &[&[u8]]) -> Vec<Vec<u8>> {
    let places = [0, host.len() / 2, host.len()];
    let put = |place: usize, bytes: &[u8]| {
        let (before, after) = host.as_bytes().split_at(place);
        [before, bytes, after].concat()
    };
    bytes.iter().flat_map(|bytes| places.map(|place| put(place, bytes))).collect()
}

/// The host with one label replaced or left out.
fn with_label(host: &str, change: fn(usize, &str) -> Option<String>) -> Vec<Vec<u8>> {
    let labels: Vec<&str> = host.split('.').collect();
    let changed = |place: usize| {
        let mut labels: Vec<String> = labels.iter().map(ToString::to_string).collect();
        match change(place, &labels[place]) {
            Some(label) => labels[place] = label,
            None => drop(labels.remove(place)),
        }
        labels.join(".").into_bytes()
    };
    (0..labels.len()).map(changed).filter(|made| made != host.as_bytes()).collect()
}

/// All kinds.
pub(crate) const ALL: &[Seed] = &[
    Seed {
        name: "another domain behind it",
        make: |host| {
            around(
                host,
                &[
                    "HOST.evil.com",
                    "HOST.evil",
                    "HOST.amazonaws.com.evil.com",
                    "HOST-evil.com",
                    "HOSTevil.com",
                ],
            )
        },
    },
    Seed {
        name: "another domain before it",
        make: |host| around(host, &["evil.HOST", "evil.com.HOST", "evil-HOST", "xHOST", "0HOST", "1.HOST"]),
    },
    Seed {
        name: "user information (CVE-2020-5260 and its kin)",
        make: |host| {
            around(
                host,
                &[
                    "HOST@evil.com",
                    "evil.com@HOST",
                    "user:password@HOST",
                    "https://HOST@evil.com",
                    "https://evil.com@HOST/",
                    "@HOST",
                    "HOST@",
                    "HOST:443@evil.com",
                ],
            )
        },
    },
    Seed {
        name: "another port",
        make: |host| {
            around(
                host,
                &[
                    "HOST:80",
                    "HOST:8443",
                    "HOST:0",
                    "HOST:0443",
                    "HOST:+443",
                    "HOST:",
                    "HOST:65979",
                    "HOST:443:443",
                    "HOST:-443",
                    "HOST:443x",
                    "HOST: 443",
                    "HOST:evil.com",
                ],
            )
        },
    },
    Seed {
        name: "a query",
        make: |host| {
            around(host, &["HOST?", "HOST?x=.evil.com", "https://HOST/?a", "evil.com?HOST", "HOST/a?b=c"])
        },
    },
    Seed {
        name: "a fragment",
        make: |host| around(host, &["HOST#", "HOST#evil.com", "https://HOST/#a", "evil.com#HOST", "#HOST"]),
    },
    Seed {
        name: "a path that climbs",
        make: |host| {
            around(
                host,
                &[
                    "HOST/..",
                    "HOST/../../evil",
                    "HOST/./",
                    "HOST/a/../b",
                    "../HOST",
                    "./HOST",
                    "/HOST",
                    "HOST/..:a",
                ],
            )
        },
    },
    Seed {
        name: "a path with empty parts or odd tags",
        make: |host| {
            around(host, &["HOST//", "HOST//evil.com", "HOST/a//b", "HOST/a:", "HOST/a:b:c", "HOST/a:b/c"])
        },
    },
    Seed {
        name: "the host in the path of another (cloud-provider-aws issues 651 and 737)",
        make: |host| {
            around(
                host,
                &[
                    "evil.com/HOST",
                    "https://evil.com/HOST",
                    "evil.com:443/HOST/",
                    "localhost/HOST",
                    "[::1]/HOST",
                ],
            )
        },
    },
    Seed {
        name: "percent escapes",
        make: |host| {
            around(
                host,
                &[
                    "HOST%2eevil.com",
                    "HOST%00",
                    "HOST/%2e%2e/",
                    "HOST%0a",
                    "%48OST",
                    "HOST%40evil.com",
                    "HOST/%",
                ],
            )
        },
    },
    Seed {
        name: "other schemes",
        make: |host| {
            around(
                host,
                &[
                    "http://HOST",
                    "HTTP://HOST/",
                    "ftp://HOST",
                    "file://HOST",
                    "oci://HOST",
                    "docker://HOST",
                    "javascript:HOST",
                    "https:HOST",
                    "https:/HOST",
                    "https:///HOST",
                    "://HOST",
                    "//HOST",
                    "https://https://HOST",
                    "https://HOST:443://evil.com",
                ],
            )
        },
    },
    Seed {
        name: "back slashes",
        make: |host| {
            around(
                host,
                &["HOST\\", "HOST\\@evil.com", "https:\\\\HOST", "evil.com\\.HOST", "HOST\\..\\evil"],
            )
        },
    },
    Seed {
        name: "a second line (CVE-2020-5260)",
        make: |host| {
            around(
                host,
                &[
                    "HOST\nHOST",
                    "HOST\nevil.com",
                    "evil.com\nHOST",
                    "\nHOST",
                    "HOST\n\n",
                    "HOST\n\r\n",
                    "HOST\nhost=x",
                ],
            )
        },
    },
    Seed {
        name: "a line that is split, as Docker's library joins them",
        make: |host| {
            (1..host.len())
                .step_by(7)
                .flat_map(|place| {
                    let (before, after) = host.split_at(place);
                    ["\n", "\r\n", "\r"].map(|end| format!("{before}{end}{after}").into_bytes())
                })
                .collect()
        },
    },
    Seed {
        name: "a lone carriage return (CVE-2024-52006)",
        make: |host| around(host, &["HOST\r", "\rHOST", "HOST\r\r\n", "HOST\revil.com", "evil.com\rHOST\n"]),
    },
    Seed {
        name: "control bytes",
        make: |host| {
            with_bytes(host, &[b"\0", b"\x01", b"\t", b"\x0b", b"\x0c", b"\x1b[31m", b"\x7f", b"\x08"])
        },
    },
    Seed {
        name: "blanks",
        make: |host| {
            with_bytes(
                host,
                &[b" ", b"  ", "\u{a0}".as_bytes(), "\u{2003}".as_bytes(), "\u{feff}".as_bytes()],
            )
        },
    },
    Seed {
        name: "letters of other scripts",
        make: |host| {
            let pairs = [
                ("a", "\u{430}"),
                ("e", "\u{435}"),
                ("c", "\u{441}"),
                ("o", "\u{43e}"),
                ("r", "\u{280}"),
                ("k", "\u{212a}"),
                ("s", "\u{17f}"),
                ("-", "\u{2010}"),
                ("0", "\u{ff10}"),
                ("0", "\u{660}"),
                ("1", "\u{661}"),
            ];
            let swapped = pairs.iter().map(|(ascii, other)| host.replacen(ascii, other, 1));
            swapped.filter(|made| made != host).map(String::into_bytes).collect()
        },
    },
    Seed {
        name: "dots of other scripts",
        make: |host| {
            ["\u{3002}", "\u{ff0e}", "\u{ff61}", "\u{2024}", "\u{b7}"]
                .iter()
                .flat_map(|dot| [host.replace('.', dot), host.replacen('.', dot, 1), format!("{host}{dot}")])
                .map(String::into_bytes)
                .collect()
        },
    },
    Seed {
        name: "slashes and signs of other scripts, and what steers text",
        make: |host| {
            with_bytes(
                host,
                &[
                    "\u{2044}".as_bytes(),
                    "\u{2215}".as_bytes(),
                    "\u{ff20}".as_bytes(),
                    "\u{202e}".as_bytes(),
                    "\u{200b}".as_bytes(),
                    "\u{ad}".as_bytes(),
                    "\u{85}".as_bytes(),
                    "\u{2028}".as_bytes(),
                ],
            )
        },
    },
    Seed {
        name: "bytes that are no text",
        make: |host| {
            with_bytes(host, &[b"\xff", b"\xc0\xae", b"\x80", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80"])
        },
    },
    Seed {
        name: "dots too many",
        make: |host| {
            let mut made =
                around(host, &["HOST.", ".HOST", "HOST..", "https://HOST./", "HOST.:443", "HOST./a"]);
            made.push(host.replacen('.', "..", 1).into_bytes());
            made
        },
    },
    Seed { name: "a label left out", make: |host| with_label(host, |_, _| None) },
    Seed {
        name: "a label twice",
        make: |host| with_label(host, |_, label| Some(format!("{label}.{label}"))),
    },
    Seed { name: "a label of another's", make: |host| with_label(host, |_, _| Some("evil".to_owned())) },
    Seed {
        name: "a label with a letter more",
        make: |host| with_label(host, |_, label| Some(format!("{label}x"))),
    },
    Seed {
        name: "a label that begins with a hyphen",
        make: |host| with_label(host, |_, label| Some(format!("-{label}"))),
    },
    Seed {
        name: "a label with an underscore",
        make: |host| with_label(host, |_, label| Some(format!("{label}_"))),
    },
    Seed {
        name: "another number of digits",
        make: |host| match host.split_once('.') {
            Some((account, rest)) if account.len() == 12 => {
                let accounts =
                    ["", "1", "00000000000", "0000000000000", "00000000000a", "+00000000001", "0x0000000001"];
                accounts.map(|account| format!("{account}.{rest}").into_bytes()).to_vec()
            }
            _ => around(host, &["1.HOST", "000000000001.HOST"]),
        },
    },
    Seed {
        name: "regions that are none, or lie elsewhere",
        make: |host| {
            let labels: Vec<&str> = host.split('.').collect();
            let Some(place) = labels
                .iter()
                .position(|label| label.matches('-').count() >= 2 && label.ends_with(char::is_numeric))
            else {
                return around(host, &["HOST.eu-central-1", "eu-central-1.HOST"]);
            };
            let regions = [
                "evil-region",
                "evil",
                "eu-central",
                "eu-central-",
                "eu--1",
                "eu-central-1-1",
                "eu-central-123",
                "x-y-1",
                "eu-central-one",
                "*",
                "eu.central.1",
                "central-eu-1-",
                "mars-north-1",
                "eu-central-1a",
            ];
            let replaced = regions.iter().map(|region| {
                let mut labels = labels.clone();
                labels[place] = region;
                labels.join(".").into_bytes()
            });
            replaced.collect()
        },
    },
    Seed {
        name: "a domain of another partition",
        make: |host| {
            let swapped = [
                (".amazonaws.com.cn", ".amazonaws.com"),
                (".amazonaws.eu", ".amazonaws.com"),
                (".on.aws", ".on.amazonwebservices.eu"),
                (".on.amazonwebservices.com.cn", ".on.aws"),
                (".ic.gov", ".amazonaws.com"),
                (".amazonaws.com", ".c2s.ic.gov"),
                (".amazonaws.com", ".amazonaws.org"),
                (".amazonaws.com", ".arnazonaws.com"),
                (".amazonaws.com", ".amazonaws.co"),
                (".amazonaws.com", ".api.aws"),
                (".aws", ".aws.dev"),
                (".gov", ".gov.evil.com"),
                (".uk", ".co.uk"),
            ];
            let made = swapped.iter().filter(|(from, _)| host.ends_with(from));
            let mut made: Vec<_> =
                made.map(|(from, to)| format!("{}{to}", host.trim_end_matches(from)).into_bytes()).collect();
            made.extend(around(host, &["HOST.cn.cn", "HOST.com"]));
            made
        },
    },
    Seed {
        name: "other services",
        make: |host| {
            let services = [
                ("dkr", "s3"),
                ("dkr", "api"),
                ("dkr.ecr", "dkrecr"),
                ("dkr.ecr", "ecr.dkr"),
                ("dkr-ecr", "dkr_ecr"),
                ("ecr", "ecs"),
                ("ecr", "ecr-fips-fips"),
                ("ecr-fips", "fips-ecr"),
                ("public.ecr", "public.gallery.ecr"),
                ("public", "private"),
            ];
            let made = services.iter().map(|(from, to)| host.replacen(from, to, 1));
            made.filter(|made| made != host).map(String::into_bytes).collect()
        },
    },
    Seed {
        name: "brackets, quotes and lists",
        make: |host| {
            around(
                host,
                &[
                    "[HOST]",
                    "\"HOST\"",
                    "'HOST'",
                    "<HOST>",
                    "HOST,evil.com",
                    "HOST;evil.com",
                    "HOST|evil.com",
                    "{\"ServerURL\":\"HOST\"}",
                    "HOST&evil.com",
                    "$(HOST)",
                    "`HOST`",
                    "HOST*",
                    "*.HOST",
                    "HOST=",
                ],
            )
        },
    },
    Seed {
        name: "lengths beyond reason",
        make: |host| {
            let long = "a".repeat(2000);
            vec![
                format!("{host}/{long}").into_bytes(),
                format!("{long}.{host}").into_bytes(),
                format!("{host}.{long}").into_bytes(),
                host.repeat(100).into_bytes(),
                format!("{}{host}", "https://".repeat(50)).into_bytes(),
            ]
        },
    },
];
