//! Which tokens are served, kept, refreshed and believed.

use std::collections::BTreeSet;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use proptest::prelude::*;
use secrecy::ExposeSecret;
use tempfile::TempDir;

use super::*;
use crate::clock::system_time;
use crate::identity::MachineFiles;
use crate::token::{FailureKind, Fixed};

const FRANKFURT: &str = "000000000001.dkr.ecr.eu-central-1.amazonaws.com";
const FRANKFURT_OF_ANOTHER: &str = "000000000002.dkr.ecr.eu-central-1.amazonaws.com";
const VIRGINIA: &str = "000000000001.dkr.ecr.us-east-1.amazonaws.com";
const PUBLIC: &str = "public.ecr.aws";
const HOUR: Duration = Duration::from_hours(1);

/// Longer than any test runs.
fn patience() -> Deadlines {
    Deadlines { lock_wait: Duration::from_mins(10), mint: Duration::from_mins(10) }
}

/// For what waits in vain.
fn impatience() -> Deadlines {
    Deadlines::within(Duration::from_millis(150))
}

/// A home directory for caches.
struct Home {
    folder: TempDir,
}

impl Home {
    fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    fn environment(&self, variables: &[(&str, &str)]) -> Environment {
        let home = self.folder.path().to_str().unwrap();
        Environment::from_map([("HOME", home)].into_iter().chain(variables.iter().copied()))
    }

    fn cache(&self, variables: &[(&str, &str)]) -> Option<Cache> {
        let environment = self.environment(variables);
        let nowhere = PathBuf::from("/nonexistent");
        let machine = MachineFiles { machine_id: nowhere.clone(), asset_tag: nowhere };
        Cache::new(&environment, &Identity::read(&environment, &machine), system_time)
    }

    fn cached(&self, answers: impl IntoIterator<Item = Result<Token, TokenError>>) -> Cached<Fixed> {
        Cached::new(Fixed::new(answers), self.cache(&[]), patience())
    }

    fn directory(&self) -> PathBuf {
        self.folder.path().join(".cache/ecru")
    }

    fn files(&self, suffix: &str) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.directory()) else { return Vec::new() };
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| path.to_str().unwrap().ends_with(suffix));
        files
    }

    /// The file of the only entry.
    fn entry(&self) -> PathBuf {
        let files = self.files(".json");
        assert_eq!(files.len(), 1, "{files:?}");
        files.into_iter().next().unwrap()
    }
}

fn registry(host: &str) -> Registry {
    Registry::parse(host).unwrap()
}

/// A token that was handed out `age` ago, to live for `life`.
fn token(secret: &str, age: Duration, life: Duration) -> Token {
    let issued_at = system_time() - age;
    Token {
        username: "AWS".into(),
        secret: secret.into(),
        issued_at,
        expires_at: issued_at + life,
        own_registry: Some(registry(FRANKFURT_OF_ANOTHER)),
    }
}

fn fresh(secret: &str) -> Result<Token, TokenError> {
    Ok(token(secret, Duration::ZERO, 12 * HOUR))
}

fn past_half_life(secret: &str) -> Result<Token, TokenError> {
    Ok(token(secret, 7 * HOUR, 12 * HOUR))
}

fn expired(secret: &str) -> Result<Token, TokenError> {
    Ok(token(secret, 13 * HOUR, 12 * HOUR))
}

fn secret_of(cached: &impl TokenSource, host: &str) -> String {
    cached.token(&registry(host)).unwrap().secret.expose_secret().to_owned()
}

fn set_mode(path: &std::path::Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn one_token_serves_all_accounts_of_a_region_and_no_other_region() {
    let home = Home::new();
    let first = home.cached([fresh("a"), fresh("b")]);
    assert_eq!(secret_of(&first, FRANKFURT), "a");
    assert_eq!(secret_of(&first, VIRGINIA), "b");
    let second = home.cached([]);
    assert_eq!(secret_of(&second, FRANKFURT_OF_ANOTHER), "a");
    assert_eq!(secret_of(&second, VIRGINIA), "b");
    assert!(second.source().asked().is_empty());
    assert!(second.token(&registry(PUBLIC)).is_err());
    assert!(first.take_warnings().is_empty());
}

#[test]
fn what_was_kept_comes_back_whole() {
    let home = Home::new();
    let written = token("pass\"\\word", HOUR, 3 * HOUR);
    home.cached([Ok(written.clone())]).token(&registry(FRANKFURT)).unwrap();
    let read = home.cached([]).token(&registry(FRANKFURT)).unwrap();
    assert_eq!(read.username, "AWS");
    assert_eq!(read.secret.expose_secret(), "pass\"\\word");
    assert_eq!(read.own_registry, written.own_registry);
    let second = Duration::from_secs(1);
    assert!(read.expires_at <= written.expires_at && written.expires_at - second < read.expires_at);
}

#[test]
fn files_and_directory_are_for_the_owner_only() {
    let home = Home::new();
    secret_of(&home.cached([fresh("a")]), FRANKFURT);
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&home.directory()), 0o700);
    assert_eq!(mode(&home.entry()), 0o600);
    assert_eq!(mode(&home.files(".lock")[0]), 0o600);
    assert!(home.files(".tmp").is_empty());
}

#[test]
fn a_token_past_half_its_life_is_refreshed_and_still_served_if_aws_fails() {
    let home = Home::new();
    secret_of(&home.cached([past_half_life("old")]), FRANKFURT);

    let failing = home.cached([]);
    assert_eq!(secret_of(&failing, FRANKFURT), "old");
    assert_eq!(failing.source().asked().len(), 1);
    assert!(matches!(failing.take_warnings().as_slice(), [CacheWarning::NotRefreshed(_)]));

    // Nobody asks again so soon, and everybody says why.
    let resting = home.cached([fresh("new")]);
    assert_eq!(secret_of(&resting, FRANKFURT), "old");
    assert!(resting.source().asked().is_empty());
    assert!(matches!(
        resting.take_warnings().as_slice(),
        [CacheWarning::NotRefreshed(TokenError::Shared { kind: FailureKind::NoIdentity, .. })]
    ));

    let [lock] = home.files(".lock").try_into().unwrap();
    let word = std::fs::read_to_string(&lock).unwrap();
    let mut word: serde_json::Value = serde_json::from_str(&word).unwrap();
    word["at"] = (word["at"].as_u64().unwrap() - 61_000_000).into();
    std::fs::write(&lock, word.to_string()).unwrap();
    assert_eq!(secret_of(&home.cached([fresh("new")]), FRANKFURT), "new");
    assert_eq!(std::fs::read_to_string(&lock).unwrap(), "");
    assert_eq!(secret_of(&home.cached([]), FRANKFURT), "new");
}

/// Notes how long it may take, and fails.
#[derive(Default)]
struct Hurried(Mutex<Vec<Duration>>);

impl TokenSource for Hurried {
    fn token(&self, registry: &Registry) -> Result<Token, TokenError> {
        Fixed::default().token(registry)
    }

    fn token_within(&self, registry: &Registry, limit: Duration) -> Result<Token, TokenError> {
        self.0.lock().unwrap().push(limit);
        self.token(registry)
    }
}

#[test]
fn a_refresh_is_hurried_while_the_old_token_does() {
    let home = Home::new();
    let limit_of = |host: &str| {
        let cached = Cached::new(Hurried::default(), home.cache(&[]), Deadlines::default());
        let _ = cached.token(&registry(host));
        let [limit] = cached.source().0.lock().unwrap().clone().try_into().unwrap();
        limit
    };
    for host in [FRANKFURT, PUBLIC] {
        secret_of(&home.cached([past_half_life("old")]), host);
    }
    assert_eq!(limit_of(FRANKFURT), REFRESH_LIMIT);
    // Where the old one is not served, there is no hurry.
    assert!(limit_of(PUBLIC) > REFRESH_LIMIT);
    assert!(limit_of(VIRGINIA) > REFRESH_LIMIT);
}

#[test]
fn an_expired_token_is_never_served() {
    let home = Home::new();
    secret_of(&home.cached([expired("old")]), FRANKFURT);
    assert!(home.cached([]).token(&registry(FRANKFURT)).is_err());
    assert_eq!(secret_of(&home.cached([fresh("new")]), FRANKFURT), "new");
}

#[test]
fn an_old_token_of_ecr_public_is_not_served_when_aws_fails() {
    let home = Home::new();
    secret_of(&home.cached([past_half_life("old")]), PUBLIC);
    assert!(home.cached([]).token(&registry(PUBLIC)).is_err());
}

#[test]
fn while_another_process_refreshes_a_valid_token_is_served_at_once() {
    let home = Home::new();
    secret_of(&home.cached([past_half_life("old")]), FRANKFURT);
    let cached = home.cached([fresh("new")]);
    let cache = cached.cache().unwrap();
    let lock = cache.try_lock(&cache.key(&registry(FRANKFURT)), 0).unwrap().unwrap();
    assert_eq!(secret_of(&cached, FRANKFURT), "old");
    assert!(cached.source().asked().is_empty());
    drop(lock);
    assert_eq!(secret_of(&cached, FRANKFURT), "new");
}

#[test]
fn a_process_that_holds_the_lock_for_ever_stops_nobody() {
    let home = Home::new();
    let cached = Cached::new(Fixed::new([fresh("a")]), home.cache(&[]), impatience());
    let cache = cached.cache().unwrap();
    let _lock = cache.try_lock(&cache.key(&registry(FRANKFURT)), 0).unwrap().unwrap();
    assert_eq!(secret_of(&cached, FRANKFURT), "a");
}

#[test]
fn those_who_wait_while_the_holders_are_stuck_go_on_one_by_one() {
    let home = Home::new();
    let cached = Cached::new(Fixed::new([fresh("a")]), home.cache(&[]), impatience());
    let cache = cached.cache().unwrap();
    let key = cache.key(&registry(FRANKFURT));
    let locks: Vec<_> = (0..=LAST_LINE).map(|line| cache.try_lock(&key, line).unwrap().unwrap()).collect();
    let error = cached.token(&registry(FRANKFURT)).unwrap_err();
    assert!(matches!(error, TokenError::TimedOut { .. }), "{error}");
    assert!(cached.source().asked().is_empty());
    drop(locks);
    assert_eq!(secret_of(&cached, FRANKFURT), "a");
}

#[test]
fn those_who_wait_share_a_failure_and_later_ones_do_not() {
    let home = Home::new();
    let calls = Arc::new(AtomicUsize::new(0));
    /// Fails once all others wait.
    struct Failing(Arc<AtomicUsize>, std::sync::Arc<std::sync::Barrier>);
    impl TokenSource for Failing {
        fn token(&self, _: &Registry) -> Result<Token, TokenError> {
            self.0.fetch_add(1, Ordering::SeqCst);
            self.1.wait();
            // Everybody has started; what they do first takes far less than this.
            std::thread::sleep(Duration::from_millis(300));
            Err(TokenError::Throttled { failure: crate::token::AwsFailure::default() })
        }
    }
    let barrier = Arc::new(std::sync::Barrier::new(9));
    let fail = || Cached::new(Failing(Arc::clone(&calls), Arc::clone(&barrier)), home.cache(&[]), patience());
    std::thread::scope(|scope| {
        let first = fail();
        scope.spawn(move || first.token(&registry(FRANKFURT)).unwrap_err());
        for _ in 0..8 {
            let (cached, barrier) = (fail(), Arc::clone(&barrier));
            scope.spawn(move || {
                barrier.wait();
                let error = cached.token(&registry(FRANKFURT)).unwrap_err();
                assert!(matches!(&error, TokenError::Shared { kind: FailureKind::Throttled, .. }), "{error}");
            });
        }
    });
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert_eq!(secret_of(&home.cached([fresh("a")]), FRANKFURT), "a");
}

#[test]
fn whoever_has_more_time_asks_again() {
    let home = Home::new();
    /// Waits until another process waits for it, and then for as long as it may.
    struct Silent(mpsc::Sender<()>);
    impl TokenSource for Silent {
        fn token(&self, _: &Registry) -> Result<Token, TokenError> {
            unreachable!()
        }

        fn token_within(&self, _: &Registry, limit: Duration) -> Result<Token, TokenError> {
            self.0.send(()).unwrap();
            std::thread::sleep(limit);
            Err(TokenError::TimedOut { waiting_for: "AWS".to_owned(), after: limit })
        }
    }
    // The second is what is left while an old token does.
    for (hurried, old) in [(Deadlines::within(Duration::from_secs(1)), None), (patience(), Some("old"))] {
        let (sender, asked) = mpsc::channel();
        if let Some(old) = old {
            secret_of(&home.cached([past_half_life(old)]), VIRGINIA);
        }
        let host = old.map_or(FRANKFURT, |_| VIRGINIA);
        let first = Cached::new(Silent(sender), home.cache(&[]), hurried);
        std::thread::scope(|scope| {
            let first = scope.spawn(move || first.token(&registry(host)).map(|token| token.secret));
            asked.recv().unwrap();
            if old.is_some() {
                // It expires meanwhile.
                let cache = home.cache(&[]).unwrap();
                let entry = home.directory().join(cache.key(&registry(host)).entry_name());
                std::fs::remove_file(entry).unwrap();
            }
            let second = home.cached([fresh("new")]);
            assert_eq!(secret_of(&second, host), "new");
            assert_eq!(first.join().unwrap().is_ok(), old.is_some());
        });
    }
}

/// Counts how often it is asked, and answers slowly enough for others to queue up.
struct Counting(Arc<AtomicUsize>);

impl TokenSource for Counting {
    fn token(&self, _: &Registry) -> Result<Token, TokenError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        std::thread::yield_now();
        fresh("a")
    }
}

#[test]
fn many_that_start_together_ask_aws_once() {
    let home = Home::new();
    let calls = Arc::new(AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..32 {
            let cached = Cached::new(Counting(Arc::clone(&calls)), home.cache(&[]), patience());
            scope.spawn(move || assert_eq!(secret_of(&cached, FRANKFURT), "a"));
        }
    });
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[test]
fn many_registries_at_once_lose_no_entry() {
    let home = Home::new();
    let regions: Vec<String> =
        (1..=60).map(|n| format!("000000000001.dkr.ecr.eu-place-{n}.amazonaws.com")).collect();
    std::thread::scope(|scope| {
        for host in &regions {
            let cached = home.cached([fresh(host)]);
            scope.spawn(move || secret_of(&cached, host));
        }
    });
    let cached = home.cached([]);
    for host in &regions {
        assert_eq!(&secret_of(&cached, host), host);
    }
}

#[test]
fn identities_do_not_share_entries() {
    let home = Home::new();
    let with = |variables: &[(&str, &str)], answers: Vec<_>| {
        Cached::new(Fixed::new(answers), home.cache(variables), patience())
    };
    secret_of(&with(&[("AWS_PROFILE", "a")], vec![fresh("a")]), FRANKFURT);
    for variables in [
        &[][..],
        &[("AWS_PROFILE", "b")],
        &[("AWS_PROFILE", "a"), ("AWS_ENDPOINT_URL_ECR", "http://127.0.0.1:1")],
    ] {
        assert!(with(variables, vec![]).token(&registry(FRANKFURT)).is_err(), "{variables:?}");
    }
    assert_eq!(secret_of(&with(&[("AWS_PROFILE", "a")], vec![]), FRANKFURT), "a");
}

#[test]
fn the_kinds_of_hosts_do_not_share_entries() {
    let home = Home::new();
    let hosts = [
        FRANKFURT,
        "000000000001.dkr.ecr-fips.eu-central-1.amazonaws.com",
        "000000000001.dkr-ecr.eu-central-1.on.aws",
        "000000000001.dkr-ecr-fips.eu-central-1.on.aws",
        VIRGINIA,
        PUBLIC,
        "ecr-public.aws.com",
    ];
    for host in hosts {
        secret_of(&home.cached([fresh(host)]), host);
    }
    for host in hosts {
        assert_eq!(secret_of(&home.cached([]), host), host);
    }
}

#[test]
fn the_directory_is_where_the_environment_says() {
    let home = Home::new();
    let other = home.folder.path().join("other");
    let path = other.to_str().unwrap();
    for variables in
        [[("AWS_ECR_CACHE_DIR", path)], [("XDG_CACHE_HOME", path)], [("AWS_ECR_CACHE_DIR", "~/other")]]
    {
        secret_of(&Cached::new(Fixed::new([fresh("a")]), home.cache(&variables), patience()), FRANKFURT);
        assert!(other.join("ecru").is_dir(), "{variables:?}");
        std::fs::remove_dir_all(&other).unwrap();
    }
    assert!(home.cache(&[(DISABLE_VARIABLE, "false")]).is_none(), "any value turns the cache off");
    let no_home = Environment::default();
    let machine = MachineFiles::of_this_machine();
    assert!(Cache::new(&no_home, &Identity::read(&no_home, &machine), system_time).is_none());
}

#[test]
fn a_home_that_does_not_exist_is_not_made() {
    let folder = TempDir::new().unwrap();
    let home = folder.path().join("gone");
    let environment = Environment::from_map([("HOME", &home)]);
    let identity = Identity::read(&environment, &MachineFiles::of_this_machine());
    let cache = Cache::new(&environment, &identity, system_time);
    let cached = Cached::new(Fixed::new([fresh("a")]), cache, patience());
    assert_eq!(secret_of(&cached, FRANKFURT), "a");
    assert!(!home.exists());
    let warning = cached.take_warnings().pop().unwrap().to_string();
    assert!(warning.contains("does not exist"), "{warning}");
}

#[test]
fn poisoned_entries_are_ignored_with_a_warning_and_replaced() {
    type Poison = fn(&std::path::Path);
    let poisons: [(&str, Poison); 6] = [
        ("open to others", |path| set_mode(path, 0o666)),
        ("readable by others", |path| set_mode(path, 0o604)),
        ("a second name", |path| std::fs::hard_link(path, path.with_extension("other")).unwrap()),
        ("a symbolic link", |path| {
            let target = path.with_extension("target");
            std::fs::rename(path, &target).unwrap();
            symlink(target, path).unwrap();
        }),
        ("a pipe", |path| {
            std::fs::remove_file(path).unwrap();
            let (mode, kind) = (rustix::fs::Mode::RUSR, rustix::fs::FileType::Fifo);
            rustix::fs::mknodat(rustix::fs::CWD, path, kind, mode, 0).unwrap();
        }),
        ("too long", |path| {
            let file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
            file.set_len(64 * 1024 + 1).unwrap();
        }),
    ];
    for (name, poison) in poisons {
        let home = Home::new();
        secret_of(&home.cached([fresh("poison")]), FRANKFURT);
        poison(&home.entry());
        let cached = home.cached([fresh("new")]);
        assert_eq!(secret_of(&cached, FRANKFURT), "new", "{name}");
        let warnings = cached.take_warnings();
        assert!(matches!(warnings.as_slice(), [CacheWarning::Ignored(_)]), "{name}: {warnings:?}");
        assert_eq!(secret_of(&home.cached([]), FRANKFURT), "new", "{name}");
    }
}

#[test]
fn a_directory_open_to_others_is_not_used_at_all() {
    let home = Home::new();
    secret_of(&home.cached([fresh("poison")]), FRANKFURT);
    set_mode(&home.directory(), 0o755);
    let cached = home.cached([fresh("new")]);
    assert_eq!(secret_of(&cached, FRANKFURT), "new");
    assert!(matches!(cached.take_warnings().as_slice(), [CacheWarning::Ignored(_)]));

    let moved = home.folder.path().join("moved");
    set_mode(&home.directory(), 0o700);
    std::fs::rename(home.directory(), &moved).unwrap();
    symlink(&moved, home.directory()).unwrap();
    assert_eq!(secret_of(&home.cached([fresh("newer")]), FRANKFURT), "newer");
}

#[test]
fn a_directory_in_the_place_of_an_entry_stops_nobody() {
    let home = Home::new();
    secret_of(&home.cached([fresh("a")]), FRANKFURT);
    let entry = home.entry();
    std::fs::remove_file(&entry).unwrap();
    std::fs::create_dir(&entry).unwrap();
    let cached = home.cached([fresh("b")]);
    assert_eq!(secret_of(&cached, FRANKFURT), "b");
    assert!(matches!(
        cached.take_warnings().as_slice(),
        [CacheWarning::Ignored(_), CacheWarning::NotKept(_)]
    ));
    assert!(home.files(".tmp").is_empty());
}

#[test]
fn damaged_entries_are_repaired() {
    let home = Home::new();
    secret_of(&home.cached([fresh("a")]), FRANKFURT);
    let entry = home.entry();
    let good = std::fs::read_to_string(&entry).unwrap();
    let key = entry.file_stem().unwrap().to_str().unwrap().trim_start_matches("v1-");
    let damaged = [
        String::new(),
        "null".into(),
        "{".into(),
        "[]".into(),
        format!("{good}trailing"),
        good.replace("\"version\":1", "\"version\":2"),
        good.replace(key, &"0".repeat(64)),
        good.replace("\"secret\":\"a\"", "\"secret\":\"\""),
        good.replace("\"secret\":\"a\"", "\"secret\":\"a\\r\\nb\""),
        good.replace("\"secret\":\"a\"", "\"secret\":null"),
        good.replace(FRANKFURT, "evil.example"),
        good.replace("\"expires_at\":", "\"expires_at\":9"),
        good.replace("\"issued_at\":", "\"issued_at\":9"),
        good.replace("\"issued_at\":", "\"issued_at\":-"),
        good.replace("\"expires_at\":", "\"expires_at\":18446744073709551615,\"x\":"),
    ];
    for content in damaged {
        assert_ne!(content, good);
        std::fs::write(&entry, &content).unwrap();
        assert_eq!(secret_of(&home.cached([fresh("b")]), FRANKFURT), "b", "{content}");
        assert_eq!(secret_of(&home.cached([]), FRANKFURT), "b", "{content}");
    }
}

#[test]
fn writing_removes_what_nobody_can_use() {
    let home = Home::new();
    secret_of(&home.cached([fresh("a")]), FRANKFURT);
    let (entry, lock) = (home.entry(), home.files(".lock").remove(0));
    let long_ago = system_time() - 13 * HOUR;
    for path in [&entry, &lock] {
        std::fs::File::options().write(true).open(path).unwrap().set_modified(long_ago).unwrap();
    }
    let abandoned = home.directory().join(format!("v1-{}.1-0.tmp", "0".repeat(64)));
    let in_use = home.directory().join(format!("v1-{}.2-0.tmp", "0".repeat(64)));
    let foreign = home.directory().join("cache.json");
    for path in [&abandoned, &in_use, &foreign] {
        std::fs::write(path, "x").unwrap();
    }
    let held = std::fs::File::open(&in_use).unwrap();
    held.lock().unwrap();

    secret_of(&home.cached([fresh("b")]), VIRGINIA);
    assert!(!entry.exists() && !lock.exists() && !abandoned.exists());
    assert!(in_use.exists() && foreign.exists());
}

#[test]
fn whoever_reads_removes_what_a_dead_process_was_writing() {
    let home = Home::new();
    secret_of(&home.cached([fresh("a")]), FRANKFURT);
    let inventory = || Inventory::new(&home.environment(&[]), Partitions::default(), system_time).unwrap();
    let abandoned = home.directory().join(format!("v1-{}.1-0.tmp", "0".repeat(64)));
    let in_use = home.directory().join(format!("v1-{}.2-0.tmp", "1".repeat(64)));
    std::fs::write(&in_use, "x").unwrap();
    let held = std::fs::File::open(&in_use).unwrap();
    held.lock().unwrap();
    let readers: [(&str, &dyn Fn()); 3] = [
        ("get", &|| assert_eq!(secret_of(&home.cached([]), FRANKFURT), "a")),
        ("list", &|| assert_eq!(inventory().entries().unwrap().len(), 1)),
        ("clear", &|| assert_eq!(inventory().clear(None).unwrap(), 1)),
    ];
    for (reader, read) in readers {
        std::fs::write(&abandoned, "a password").unwrap();
        read();
        assert!(!abandoned.exists() && in_use.exists(), "{reader}");
    }
}

#[test]
fn a_cache_of_nobody_known_is_not_passed_over_in_silence() {
    let home = Home::new();
    let variables = [("AWS_CONFIG_FILE", "/dev/zero")];
    assert!(home.cache(&variables).is_none());
    let obstacles = |variables: &[(&str, &str)]| -> Vec<String> {
        let environment = home.environment(variables);
        let identity = Identity::read(&environment, &MachineFiles::of_this_machine());
        Cache::obstacles(&environment, &identity).iter().map(ToString::to_string).collect()
    };
    let told = "no token is kept, since it is not known whose it would be: `/dev/zero` cannot be looked at: it is \
                not a regular file";
    assert_eq!(obstacles(&variables), [told]);
    assert!(obstacles(&[]).is_empty());
    assert!(obstacles(&[("AWS_CONFIG_FILE", "/dev/zero"), (DISABLE_VARIABLE, "1")]).is_empty());
}

#[test]
fn a_cache_is_never_put_below_the_working_directory() {
    let nowhere = MachineFiles { machine_id: "/nonexistent".into(), asset_tag: "/nonexistent".into() };
    for (variables, warning) in [
        (&[("AWS_ECR_CACHE_DIR", "~/.ecr")][..], "AWS_ECR_CACHE_DIR is passed over: `~/.ecr`"),
        (&[("AWS_ECR_CACHE_DIR", "rel"), ("HOME", "/home/a")], "AWS_ECR_CACHE_DIR is passed over: `rel`"),
        (&[("AWS_ECR_CACHE_DIR", "~other/x"), ("HOME", "/home/a")], "AWS_ECR_CACHE_DIR is passed over"),
        (&[], "no token is kept"),
        (&[("HOME", "relative")], "no token is kept"),
    ] {
        let environment = Environment::from_map(variables.to_vec());
        let told = Cache::obstacles(&environment, &Identity::read(&environment, &nowhere));
        let told: Vec<String> = told.iter().map(ToString::to_string).collect();
        assert!(told.iter().any(|told| told.starts_with(warning)), "{variables:?}: {told:?}");
        let inventory = Inventory::new(&environment, Partitions::default(), system_time);
        let path = inventory.map(|inventory| inventory.path().to_owned());
        let has_home = variables.contains(&("HOME", "/home/a"));
        assert_eq!(path, has_home.then(|| "/home/a/.cache/ecru".into()), "{variables:?}");
    }
    for variables in [
        &[("AWS_ECR_CACHE_DIR", "~/.ecr"), ("HOME", "/home/a")][..],
        &[("AWS_ECR_CACHE_DIR", "/c")],
        &[(DISABLE_VARIABLE, "1"), ("AWS_ECR_CACHE_DIR", "rel")],
    ] {
        let environment = Environment::from_map(variables.to_vec());
        let identity = Identity::read(&environment, &nowhere);
        assert!(Cache::obstacles(&environment, &identity).is_empty(), "{variables:?}");
    }
}

#[test]
fn a_folder_that_is_open_to_others_has_a_hint_that_mends_it() {
    let home = Home::new();
    secret_of(&home.cached([fresh("a")]), FRANKFURT);
    let inventory = Inventory::new(&home.environment(&[]), Partitions::default(), system_time).unwrap();
    std::fs::set_permissions(home.directory(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let hint = inventory.entries().unwrap_err().hint().unwrap();
    assert_eq!(hint, format!("chmod 700 {}", home.directory().display()));
    std::fs::set_permissions(home.directory(), std::fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(inventory.entries().unwrap().len(), 1);
}

#[test]
fn registries_of_valid_entries_of_the_same_identity_are_known() {
    let home = Home::new();
    let known = |identity: &[(&str, &str)]| {
        let environment = home.environment(identity);
        let inventory = Inventory::new(&environment, Partitions::default(), system_time).unwrap();
        let identity = home.cache(identity).unwrap().identity().to_string();
        let kept = inventory.entries().unwrap().into_iter().filter(move |kept| kept.identity == identity);
        kept.flat_map(|kept| [Some(kept.registry), kept.own_registry]).flatten().collect::<BTreeSet<_>>()
    };
    assert!(known(&[]).is_empty());
    secret_of(&home.cached([fresh("a")]), FRANKFURT);
    secret_of(&home.cached([expired("b")]), VIRGINIA);
    let other = Cached::new(Fixed::new([fresh("c")]), home.cache(&[("AWS_PROFILE", "x")]), patience());
    secret_of(&other, PUBLIC);
    assert_eq!(known(&[]), [registry(FRANKFURT), registry(FRANKFURT_OF_ANOTHER)].into());
    assert_eq!(known(&[("AWS_PROFILE", "x")]).len(), 2);
}

#[test]
fn debug_output_hides_secrets() {
    let home = Home::new();
    let cached = home.cached([fresh("hunter2")]);
    let token = cached.token(&registry(FRANKFURT)).unwrap();
    assert!(!format!("{cached:?} {token:?}").contains("hunter2"));
}

proptest! {
    #[test]
    fn any_content_is_read_or_ignored(content: Vec<u8>, issued: u64, expires: u64) {
        let _ = Entry::read(&content, &Partitions::default(), system_time());
        let plausible = format!(
            r#"{{"version":1,"key":"","identity":"","registry":"public.ecr.aws","own_registry":null,"username":"AWS",
            "secret":"x","issued_at":{issued},"expires_at":{expires}}}"#,
        );
        if let Some(entry) = Entry::read(plausible.as_bytes(), &Partitions::default(), system_time()) {
            prop_assert!(entry.token.expires_at > system_time() - HOUR);
            let _ = entry.is_fresh(system_time());
        }
    }
}
