//! What the machine can do at best, for `benches/store/run` to compare larder with: hashing files, and making, linking and removing them,
//! with a thread for each processor and nothing else to do.
//!
//! ```text
//! limits hash DIRECTORY        list, read and hash every file
//! limits remove DIRECTORY      remove it with all below it; what is two levels below it is shared out among the threads
//! limits files SOURCE TARGET   make the directories and files of SOURCE below TARGET, link each file, remove all again
//! ```
//!
//! Prints JSON: milliseconds of each step.

#![expect(clippy::disallowed_methods, reason = "no store is changed here")]
#![expect(clippy::print_stdout, reason = "it is a program")]

use rayon::prelude::*;
use rustix::fs::{AtFlags, Mode, OFlags};
use serde_json::json;
use std::error::Error;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Files up to this size are hashed on one thread, side by side with others.
const SMALL: u64 = 1 << 20;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// A directory, and the names and sizes of the files in it.
struct Place {
    path: PathBuf,
    files: Vec<(PathBuf, u64)>,
}

fn main() -> Outcome<()> {
    let arguments: Vec<_> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let result = match &arguments[..] {
        [what, directory] if what.as_os_str() == "hash" => hash(directory)?,
        [what, directory] if what.as_os_str() == "remove" => remove(directory)?,
        [what, source, target] if what.as_os_str() == "files" => files(source, target)?,
        _ => return Err("usage: limits hash DIRECTORY | limits remove DIRECTORY | limits files SOURCE TARGET".into()),
    };
    println!("{result}");
    Ok(())
}

fn milliseconds(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1000.0
}

fn hash(directory: &Path) -> Outcome<serde_json::Value> {
    let began = Instant::now();
    let places = list(directory)?;
    let one = |place: &Place| place.files.iter().try_for_each(|(name, size)| hash_file(&place.path.join(name), *size));
    places.par_iter().try_for_each(one)?;
    let bytes: u64 = places.iter().flat_map(|place| &place.files).map(|(_, size)| size).sum();
    Ok(json!({ "hash": milliseconds(began), "bytes": bytes }))
}

fn hash_file(path: &Path, size: u64) -> Outcome<()> {
    let mut hasher = blake3::Hasher::new();
    if size > SMALL {
        hasher.update_mmap_rayon(path)?;
    } else {
        let mut content = Vec::with_capacity(usize::try_from(size)? + 1);
        File::open(path)?.read_to_end(&mut content)?;
        hasher.update(&content);
    }
    std::hint::black_box(hasher.finalize());
    Ok(())
}

/// Every directory from `top` on, parents first.
fn list(top: &Path) -> Outcome<Vec<Place>> {
    let mut places = Vec::new();
    let mut pending = vec![top.to_owned()];
    while let Some(path) = pending.pop() {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&path)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                pending.push(entry.path());
            } else if kind.is_file() {
                files.push((entry.file_name().into(), entry.metadata()?.len()));
            }
        }
        places.push(Place { path, files });
    }
    Ok(places)
}

fn remove(directory: &Path) -> Outcome<serde_json::Value> {
    let began = Instant::now();
    let mut doomed = Vec::new();
    for top in std::fs::read_dir(directory)? {
        for entry in std::fs::read_dir(top?.path())? {
            let entry = entry?;
            doomed.push((entry.path(), entry.file_type()?.is_dir()));
        }
    }
    let one = |(path, is_directory): &(PathBuf, bool)| {
        if *is_directory { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }
    };
    doomed.par_iter().try_for_each(one)?;
    std::fs::remove_dir_all(directory)?;
    Ok(json!({ "remove": milliseconds(began) }))
}

fn files(source: &Path, target: &Path) -> Outcome<serde_json::Value> {
    let places = list(source)?;
    let contents: Vec<Vec<Vec<u8>>> = places
        .iter()
        .map(|place| place.files.iter().map(|(name, _)| std::fs::read(place.path.join(name))).collect())
        .collect::<Result<_, _>>()?;
    let (made, linked) = (target.join("made"), target.join("linked"));
    for place in &places {
        for top in [&made, &linked] {
            std::fs::create_dir_all(top.join(place.path.strip_prefix(source)?))?;
        }
    }
    let beneath = |top: &Path, place: &Place| -> Outcome<OwnedFd> {
        let path = top.join(place.path.strip_prefix(source)?);
        Ok(rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?)
    };
    let create = timed(|| {
        places.par_iter().zip(&contents).try_for_each(|(place, contents)| {
            let directory = beneath(&made, place)?;
            place.files.iter().zip(contents).try_for_each(|((name, _), content)| write(&directory, name, content))
        })
    })?;
    let link = timed(|| {
        places.par_iter().try_for_each(|place| {
            let (from, to) = (beneath(&made, place)?, beneath(&linked, place)?);
            place
                .files
                .iter()
                .try_for_each(|(name, _)| Ok(rustix::fs::linkat(&from, name, &to, name, AtFlags::empty())?))
        })
    })?;
    let unlink = timed(|| {
        places.par_iter().try_for_each(|place| {
            let (from, to) = (beneath(&made, place)?, beneath(&linked, place)?);
            let remove = |(name, _): &(PathBuf, u64)| -> Outcome<()> {
                rustix::fs::unlinkat(&from, name, AtFlags::empty())?;
                Ok(rustix::fs::unlinkat(&to, name, AtFlags::empty())?)
            };
            place.files.iter().try_for_each(remove)
        })
    })?;
    let count: usize = places.iter().map(|place| place.files.len()).sum();
    Ok(json!({ "files": count, "create": create, "link": link, "unlink": unlink }))
}

fn write(directory: &OwnedFd, name: &Path, content: &[u8]) -> Outcome<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
    let mut file = File::from(rustix::fs::openat(directory, name, flags, Mode::RUSR)?);
    Ok(file.write_all(content)?)
}

fn timed(work: impl FnOnce() -> Outcome<()>) -> Outcome<f64> {
    let began = Instant::now();
    work()?;
    Ok(milliseconds(began))
}
