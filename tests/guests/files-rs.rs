//! What files.c does, through Rust's standard library.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

fn yes(good: bool) -> &'static str {
    if good { "yes" } else { "no" }
}

fn list(folder: &Path) -> std::io::Result<()> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    print!("listing:");
    for name in names {
        print!(" {name}");
    }
    println!();
    Ok(())
}

fn work(folder: &Path) -> std::io::Result<()> {
    let (one, two, three) = (folder.join("one"), folder.join("sub/two"), folder.join("three"));
    fs::create_dir(folder.join("sub"))?;
    File::create(&one)?.write_all(b"hello, ")?;
    OpenOptions::new().append(true).open(&one)?.write_all(b"files")?;
    let mut file = File::open(&one)?;
    let mut text = String::new();
    file.seek(SeekFrom::Start(7))?;
    file.read_to_string(&mut text)?;
    println!("from 7 on: {text}");
    println!("size: {}", fs::metadata(&one)?.len());
    fs::rename(&one, &two)?;
    println!("missing: {}", yes(matches!(fs::metadata(&one), Err(e) if e.kind() == std::io::ErrorKind::NotFound)));
    fs::write(&three, "3")?;
    list(folder)?;
    let begin = Instant::now();
    std::thread::sleep(Duration::from_millis(20));
    println!("slept: {}", yes(begin.elapsed() >= Duration::from_millis(20)));
    println!("this century: {}", yes(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() > 978307200));
    fs::remove_file(&two)?;
    fs::remove_dir(folder.join("sub"))?;
    fs::remove_file(&three)?;
    list(folder)
}

fn main() {
    let folder = std::env::args().nth(1).unwrap_or_else(|| ".".to_string());
    println!("name: {}", std::env::var("NAME").unwrap_or_else(|_| "none".to_string()));
    if let Err(error) = work(Path::new(&folder)) {
        println!("failed: {error}");
        std::process::exit(1);
    }
}
