//! The folder that datasets are kept in.

use dataset::{Name, Store};

use super::*;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn two_days(place: &Place) -> Imported {
    imported(&plain(place.file("a.csv", "time,close\n2024-01-01,1\n2024-01-02,2\n2024-01-04,3\n")))
}

#[test]
fn what_is_kept_is_listed_read_and_removed() {
    let place = Place::new();
    let store = Store::new(place.path("not/there/yet"));
    assert!(store.list().unwrap().is_empty());
    let manifest = store.put(&name("btc_1d"), two_days(&place)).unwrap();
    assert_eq!((manifest.rows, manifest.interval().as_deref()), (3, Some("1d")));
    assert_eq!(
        (manifest.gaps.missing_rows, manifest.gaps.first_after_ms),
        (1, Some(1_704_153_600_000))
    );
    assert_eq!(manifest.sources[0].file, "a.csv");
    let listed = store.list().unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].manifest.as_ref().unwrap(), &manifest);
    let (read, table) = store.read(&name("btc_1d")).unwrap();
    assert_eq!((read, table.series("close").unwrap()), (manifest, [1.0, 2.0, 3.0].as_slice()));
    // Nothing is left beside it.
    assert_eq!(fs::read_dir(store.dir()).unwrap().count(), 1);
    store.remove(&name("btc_1d")).unwrap();
    assert!(store.list().unwrap().is_empty());
}

#[test]
fn a_name_is_used_once_and_an_unknown_one_is_told() {
    let place = Place::new();
    let store = Store::new(place.path("d"));
    store.put(&name("a"), two_days(&place)).unwrap();
    assert_eq!(
        store.put(&name("a"), two_days(&place)).unwrap_err().to_string(),
        "`name` is a but must be a name that is free: remove that dataset first, or choose another, \
         for example a_2"
    );
    for error in [store.read(&name("b")).unwrap_err(), store.remove(&name("b")).unwrap_err()] {
        assert_eq!(
            error.to_string(),
            "`dataset` is b but must be the name of a dataset that was imported, see \
             list_datasets, for example a"
        );
    }
}

#[test]
fn links_folders_and_strangers_in_the_folder_are_refused() {
    let place = Place::new();
    let store = Store::new(place.path("d"));
    store.put(&name("good"), two_days(&place)).unwrap();
    let file = store.dir().join("good.dataset");
    std::os::unix::fs::symlink(&file, store.dir().join("link.dataset")).unwrap();
    fs::create_dir(store.dir().join("folder.dataset")).unwrap();
    fs::write(store.dir().join("stranger.dataset"), "hello, I am no dataset").unwrap();
    fs::write(store.dir().join("../Upper.txt"), "not looked at").unwrap();
    fs::write(store.dir().join("UPPER.dataset"), "not looked at").unwrap();
    fs::copy(&file, store.dir().join("renamed.dataset")).unwrap();
    let listed: Vec<(String, Option<String>)> = store
        .list()
        .unwrap()
        .into_iter()
        .map(|of| (of.name.to_string(), of.manifest.err().map(|error| error.to_string())))
        .collect();
    let names: Vec<&str> = listed.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["folder", "good", "link", "renamed", "stranger"]);
    for (at, expect) in [
        (0, "`file` is no regular file but must be a regular file"),
        (2, "`file` is a symbolic link but must be a regular file"),
        (3, "`name` is good but must be renamed, as the file's"),
        (4, "`file` is no dataset but must be as `bot4 dataset import` wrote it"),
    ] {
        let message = listed[at].1.as_deref().unwrap_or_default();
        assert!(message.contains(expect), "{message}");
        let error = store.read(&name(&listed[at].0)).unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
    }
    assert_eq!(listed[1].1, None);
    // A link is taken, too: nothing is written through it.
    assert!(store.put(&name("link"), two_days(&place)).is_err());
}

#[test]
fn a_full_folder_takes_no_more() {
    let place = Place::new();
    let store = Store::new(place.path("d"));
    fs::create_dir(store.dir()).unwrap();
    for at in 0..dataset::DATASETS_MAX {
        fs::write(store.dir().join(format!("d{at}.dataset")), "").unwrap();
    }
    let message = store.put(&name("one_more"), two_days(&place)).unwrap_err().to_string();
    assert!(message.contains("`datasets` is 1000 but must be fewer than 1000"), "{message}");
    assert_eq!(fs::read_dir(store.dir()).unwrap().count(), dataset::DATASETS_MAX);
}
