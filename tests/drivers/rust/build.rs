//! Tells the programs the versions of their drivers, from Cargo.lock.

fn main() {
    println!("cargo:rerun-if-changed=Cargo.lock");
    let lock = std::fs::read_to_string("Cargo.lock").expect("Cargo.lock");
    let version = |name: &str| {
        let entry = lock.split(&format!("name = \"{name}\"\nversion = \"")).nth(1);
        entry.and_then(|rest| rest.split('"').next()).expect("in Cargo.lock").to_owned()
    };
    println!(
        "cargo:rustc-env=TOKIO_POSTGRES={}, postgres-native-tls {}, tokio-postgres-rustls {}, rustls {}",
        version("tokio-postgres"),
        version("postgres-native-tls"),
        version("tokio-postgres-rustls"),
        version("rustls"),
    );
    println!("cargo:rustc-env=SQLX={}, rustls {}", version("sqlx"), version("rustls"));
}
