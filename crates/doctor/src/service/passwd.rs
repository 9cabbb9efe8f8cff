//! The accounts of a machine, from `/etc/passwd` (passwd(5)).

use std::path::{Path, PathBuf};

use super::{ServiceError, text_at};

/// The accounts.
#[derive(Debug, Default)]
pub(super) struct Users {
    accounts: Vec<Account>,
}

#[derive(Debug)]
struct Account {
    name: String,
    uid: u32,
    gid: u32,
    home: PathBuf,
}

impl Users {
    pub(super) fn read(root: &Path) -> Result<Self, ServiceError> {
        let text = text_at(root, Path::new("/etc/passwd"))?.unwrap_or_default();
        Ok(Self { accounts: text.lines().filter_map(account).collect() })
    }

    /// The number of the user `name`, which may be a number itself.
    pub(super) fn uid_of(&self, name: &str) -> Option<u32> {
        let account = self.accounts.iter().find(|account| account.name == name);
        account.map(|account| account.uid).or_else(|| name.parse().ok()).or((name == "root").then_some(0))
    }

    /// The name of the user with this number, else the number.
    pub(super) fn name_of(&self, uid: u32) -> String {
        match self.accounts.iter().find(|account| account.uid == uid) {
            Some(account) => account.name.clone(),
            None if uid == 0 => "root".to_owned(),
            None => uid.to_string(),
        }
    }

    /// The group of the user with this number, else the same number.
    pub(super) fn gid_of(&self, uid: u32) -> u32 {
        let account = self.accounts.iter().find(|account| account.uid == uid);
        account.map_or(uid, |account| account.gid)
    }

    /// The home directories of all accounts.
    pub(super) fn homes(&self) -> Vec<PathBuf> {
        self.accounts.iter().map(|account| account.home.clone()).collect()
    }

    /// The folder of the user with this number. Root has one also in an image without accounts.
    pub(super) fn home_of(&self, uid: u32) -> Option<PathBuf> {
        let account = self.accounts.iter().find(|account| account.uid == uid);
        account.map(|account| account.home.clone()).or((uid == 0).then(|| PathBuf::from("/root")))
    }
}

fn account(line: &str) -> Option<Account> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, uid, gid, _, home, ..] = fields.as_slice() else { return None };
    Some(Account {
        name: (*name).to_owned(),
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
        home: PathBuf::from(home),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_found_by_name_and_number() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("etc")).unwrap();
        std::fs::write(folder.path().join("etc/passwd"), "x\nrunner:x:997:997::/srv/runner:/bin/sh\n")
            .unwrap();
        let users = Users::read(folder.path()).unwrap();
        assert_eq!(
            (users.uid_of("runner"), users.uid_of("12"), users.uid_of("no")),
            (Some(997), Some(12), None)
        );
        assert_eq!(users.home_of(997), Some(PathBuf::from("/srv/runner")));
        assert_eq!((users.name_of(0), users.home_of(0)), ("root".to_owned(), Some(PathBuf::from("/root"))));
        assert_eq!(users.home_of(1), None);
    }
}
