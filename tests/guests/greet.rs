//! A guest in Rust: greets whom the environment variable NAME says, the world without it.

fn main() {
    let name = std::env::var("NAME").unwrap_or_else(|_| "World".to_string());
    println!("Hello, {name}!");
}
