use std::io::Cursor;
use std::path::PathBuf;

use proptest::prelude::*;
use proptest::test_runner::Config;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::*;
use crate::accounts::RegistryId;
use crate::store::{Repository, Settings, StateFolder};

/// A store with an empty repository, in a folder that has nothing else.
struct Shelf {
    parent: tempfile::TempDir,
    store: Store,
    key: RepositoryKey,
    _folder: StateFolder,
}

impl Shelf {
    fn new() -> Self {
        let parent = tempfile::tempdir().unwrap();
        let folder = StateFolder::take(Some(&parent.path().join("state"))).unwrap();
        let store = Store::open(&folder).unwrap();
        let key = RepositoryKey { registry: RegistryId::default().into(), name: "app".parse().unwrap() };
        store.create(key.clone(), Settings::default(), OffsetDateTime::UNIX_EPOCH).unwrap();
        Self { parent, store, key, _folder: folder }
    }

    fn import(&self, from: &Path, reference: Option<&str>) -> Result<Repository, ImportError> {
        let tags = vec!["v1".parse().unwrap()];
        let image = SeededImage { from: from.into(), reference: reference.map(Into::into), tags };
        import(&self.store, &self.key, &image, 0)?;
        Ok((*self.store.find(&self.key).unwrap()).clone())
    }

    fn import_archive(&self, archive: &[u8], reference: Option<&str>) -> Result<Repository, ImportError> {
        let path = self.parent.path().join("image.tar");
        std::fs::write(&path, archive).unwrap();
        let result = self.import(&path, reference);
        std::fs::remove_file(path).unwrap();
        result
    }

    /// The files beside the state folder, which are to be none, and those that were left half done in it.
    fn stray_files(&self) -> Vec<PathBuf> {
        let uploads = self.parent.path().join("state/uploads");
        let beside =
            std::fs::read_dir(self.parent.path()).unwrap().chain(std::fs::read_dir(uploads).unwrap());
        let paths = beside.map(|entry| entry.unwrap().path());
        paths.filter(|path| !path.ends_with("state")).collect()
    }
}

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        // Written directly, since the crate refuses to write the names that must be refused here.
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn saved(list: &Value) -> Vec<u8> {
    let list = list.to_string();
    archive(&[
        ("config.json", b"{}"),
        ("one/layer.tar", b"layer"),
        ("two/layer.tar", b"\x1f\x8bcompressed"),
        ("manifest.json", list.as_bytes()),
    ])
}

fn entry(tag: &str) -> Value {
    json!({ "Config": "config.json", "RepoTags": [tag], "Layers": ["one/layer.tar", "two/layer.tar"] })
}

/// The files of a layout with one image of one layer.
fn layout_files(name: &str) -> Vec<(String, Vec<u8>)> {
    let blob = |content: &[u8]| (format!("blobs/sha256/{}", Digest::of(content).hex()), content.to_vec());
    let manifest = json!({
        "schemaVersion": 2,
        "config": { "digest": Digest::of(b"{}") }, "layers": [{ "digest": Digest::of(b"layer") }],
    })
    .to_string();
    let digest = Digest::of(manifest.as_bytes());
    let index = json!({ "manifests": [{
        "digest": digest, "annotations": { "org.opencontainers.image.ref.name": name },
    }] });
    let files = [blob(b"{}"), blob(b"layer"), blob(manifest.as_bytes())];
    files.into_iter().chain([("index.json".into(), index.to_string().into_bytes())]).collect()
}

fn write_layout(folder: &Path) {
    std::fs::create_dir_all(folder.join("blobs/sha256")).unwrap();
    for (name, content) in layout_files("1") {
        std::fs::write(folder.join(name), content).unwrap();
    }
}

#[test]
fn what_docker_saves_becomes_an_image() {
    let shelf = Shelf::new();
    let both = saved(&json!([entry("app:1"), entry("app:2")]));
    assert!(
        matches!(shelf.import_archive(&both, None), Err(ImportError::Several(found)) if found == ["app:1", "app:2"])
    );
    assert!(matches!(shelf.import_archive(&both, Some("app:3")), Err(ImportError::NoSuchReference { .. })));
    let repository = shelf.import_archive(&both, Some("app:2")).unwrap();
    let digest = repository.tags[&"v1".parse().unwrap()];
    let text = std::fs::read(shelf.store.content_path(digest)).unwrap();
    let manifest: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(manifest["config"]["digest"], json!(Digest::of(b"{}")));
    assert_eq!(manifest["layers"][0]["digest"], json!(Digest::of(b"layer")));
    assert_eq!(manifest["layers"][0]["mediaType"], "application/vnd.docker.image.rootfs.diff.tar");
    assert_eq!(manifest["layers"][1]["mediaType"], "application/vnd.docker.image.rootfs.diff.tar.gzip");
    assert_eq!(repository.blobs[&Digest::of(b"layer")], 5);
    assert_eq!(std::fs::read(shelf.store.content_path(Digest::of(b"layer"))).unwrap(), b"layer");
    assert_eq!(shelf.stray_files(), [] as [PathBuf; 0]);
}

#[test]
fn a_layout_becomes_an_image_from_a_folder_and_from_an_archive() {
    let outside = tempfile::tempdir().unwrap();
    write_layout(outside.path());
    let from_folder = Shelf::new().import(outside.path(), Some("1")).unwrap();
    let files = layout_files("1");
    let files: Vec<(&str, &[u8])> =
        files.iter().map(|(name, content)| (name.as_str(), content.as_slice())).collect();
    let from_archive = Shelf::new().import_archive(&archive(&files), None).unwrap();
    for repository in [from_folder, from_archive] {
        assert_eq!(repository.blobs.keys().len(), 2);
        let record = &repository.manifests[&repository.tags[&"v1".parse().unwrap()]];
        assert_eq!(record.media_type, "application/vnd.oci.image.manifest.v1+json");
        assert_eq!(record.image_size, 7);
    }
}

#[test]
fn links_and_ways_out_are_refused() {
    let shelf = Shelf::new();
    for name in ["../evil", "/etc/evil", "a/../../evil"] {
        let error = shelf.import_archive(&archive(&[(name, b"evil")]), None).unwrap_err();
        assert!(matches!(error, ImportError::OutOfArchive(_)), "{name}: {error:?}");
    }
    for kind in [tar::EntryType::Symlink, tar::EntryType::Link] {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(0);
        builder.append_link(&mut header, "manifest.json", "/etc/passwd").unwrap();
        let error = shelf.import_archive(&builder.into_inner().unwrap(), None).unwrap_err();
        assert!(matches!(error, ImportError::Link(_)), "{error:?}");
    }
    // Links for readers of older formats may lie beside the files.
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    builder.append_link(&mut header, "old/layer.tar", "../one/layer.tar").unwrap();
    // An archive ends with two empty blocks, and whatever is appended has to come before them.
    let mut with_link = builder.get_ref().clone();
    with_link.extend(saved(&json!([entry("app:1")])));
    shelf.import_archive(&with_link, None).unwrap();
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_pax_extensions([("path", b"manifest.json".as_slice())]).unwrap();
    let error = shelf.import_archive(&builder.into_inner().unwrap(), None).unwrap_err();
    assert!(matches!(error, ImportError::UnknownEntry(_)), "{error:?}");

    let outside = tempfile::tempdir().unwrap();
    write_layout(outside.path());
    let blob = outside.path().join("blobs/sha256").join(Digest::of(b"layer").hex());
    let elsewhere = outside.path().join("elsewhere");
    std::fs::rename(&blob, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &blob).unwrap();
    let error = shelf.import(outside.path(), None).unwrap_err();
    assert!(matches!(error, ImportError::Link(_)), "{error:?}");
    assert_eq!(shelf.stray_files(), [] as [PathBuf; 0]);
}

#[test]
fn content_that_is_not_what_it_says_is_refused() {
    let shelf = Shelf::new();
    let outside = tempfile::tempdir().unwrap();
    write_layout(outside.path());
    let blob = outside.path().join("blobs/sha256").join(Digest::of(b"layer").hex());
    std::fs::write(&blob, "other").unwrap();
    let error = shelf.import(outside.path(), None).unwrap_err();
    assert!(matches!(error, ImportError::Altered(_)), "{error:?}");
    std::fs::remove_file(&blob).unwrap();
    let error = shelf.import(outside.path(), None).unwrap_err();
    assert!(matches!(error, ImportError::Missing(_)), "{error:?}");
    let missing = json!([{ "Config": "../config.json", "Layers": [] }]);
    let error = shelf.import_archive(&saved(&missing), None).unwrap_err();
    assert!(matches!(error, ImportError::Missing(_)), "{error:?}");
    for nothing in [&b""[..], b"no archive", &archive(&[])] {
        assert!(shelf.import_archive(nothing, None).is_err());
    }
    assert!(shelf.store.find(&shelf.key).unwrap().manifests.is_empty());
    assert_eq!(shelf.stray_files(), [] as [PathBuf; 0]);
}

proptest! {
    #![proptest_config(Config { cases: 128, failure_persistence: None, ..Config::default() })]

    #[test]
    fn any_archive_is_an_image_or_an_error(
        bytes: Vec<u8>,
        at in 0..4096_usize,
        flipped: u8,
        name in "[./a-z]{1,20}",
        list in "[\\[\\]{}\":,a-zA-Z0-9]{0,60}",
        kept in 0..6000_usize,
    ) {
        let shelf = Shelf::new();
        let mut altered = saved(&json!([entry("app:1")]));
        altered[at] ^= flipped;
        let mut cut = saved(&json!([entry("app:1")]));
        cut.truncate(kept);
        let odd = archive(&[(&name, &bytes), ("manifest.json", list.as_bytes())]);
        for archive in [bytes, altered, cut, odd] {
            let _ = shelf.import_archive(&archive, None);
            prop_assert_eq!(shelf.stray_files(), [] as [PathBuf; 0]);
        }
    }
}

#[test]
fn a_file_that_ends_early_is_not_kept() {
    let shelf = Shelf::new();
    let error = kept(&shelf.store, Cursor::new(b"short"), 6).unwrap_err();
    assert!(matches!(error, ImportError::EndsEarly), "{error:?}");
    let error = kept(&shelf.store, Cursor::new(b""), MAX_BLOB + 1).unwrap_err();
    assert!(matches!(error, ImportError::TooLarge(_)), "{error:?}");
    assert_eq!(shelf.stray_files(), [] as [PathBuf; 0]);
}
