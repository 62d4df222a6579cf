//! The container image's file system, as the recipe lays it out, on a real fault and a healthy
//! server: with no shell, no rights, and nothing to write to.

#[path = "common/trials.rs"]
mod trials;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, ensure};
use dbdoctor_lab::{Lab, Need};
use serde_json::Value;

const TRIALS: &[trials::Named<Image>] = &[
    ("a_healthy_server_passes", healthy),
    ("a_fault_is_told_with_its_status", refused),
    ("the_authorities_of_the_system_are_inside", authorities),
    ("names_are_looked_up", names),
    ("a_tunnel_is_built", tunnel),
    ("nothing_else_is_inside", contents),
];

/// The user of the image.
const USER: u32 = 65_532;

struct Image {
    lab: Lab,
    root: PathBuf,
}

fn main() {
    let needs = [Need::Postgres, Need::Sshd, Need::Root];
    trials::run(2, trials::lab(&needs).and_then(Image::assemble), TRIALS);
}

impl Image {
    fn assemble(lab: Lab) -> Result<Self, String> {
        let root = lab.root().join("image");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/container/assemble");
        let output = Command::new(script)
            .arg(env!("CARGO_BIN_EXE_dbdoctor"))
            .arg(&root)
            .output()
            .map_err(|error| error.to_string())?;
        match output.status.success() {
            true => Ok(Self { lab, root }),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    /// dbdoctor as the container runs it: the file system is read-only, and the user has no
    /// rights.
    fn dbdoctor(&self, args: &[&str]) -> Result<Output> {
        const ENTER: &str = r#"mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" &&
            mount -t proc proc "$0/proc" && root=$0 && user=$1 && shift &&
            exec setpriv --no-new-privs chroot --userspec="$user:$user" "$root" /usr/bin/dbdoctor "$@""#;
        Ok(Command::new("timeout")
            .args(["60", "unshare", "--mount", "sh", "-c", ENTER])
            .arg(&self.root)
            .arg(USER.to_string())
            .args(args)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", "/home/nonroot")
            .env("PGPASSWORD", self.lab.password())
            .stdin(Stdio::null())
            .output()?)
    }

    /// Its status and its report.
    fn report(&self, args: &[&str]) -> Result<(Option<i32>, Value)> {
        let output = self.dbdoctor(&[args, &["--json"]].concat())?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        let report = serde_json::from_slice(&output.stdout).context(stderr.into_owned())?;
        Ok((output.status.code(), report))
    }
}

fn healthy(image: &Image) -> Result<()> {
    let target = image.lab.postgres()?.conn().to_string();
    let (status, report) = image.report(&["check", &target])?;
    ensure!(status == Some(0), "{report:#}");
    ensure!(report["verdict"]["status"] == "pass", "{report:#}");
    Ok(())
}

fn refused(image: &Image) -> Result<()> {
    let (status, report) = image.report(&["check", "postgres://app@127.0.0.1:1/app"])?;
    ensure!(status == Some(1), "{report:#}");
    ensure!(report["verdict"]["cause"] == "tcp.refused", "{report:#}");
    Ok(())
}

/// With `sslrootcert=system` a server of an unknown authority is rejected for its certificate,
/// and not for a store that is missing.
fn authorities(image: &Image) -> Result<()> {
    let certificates = std::fs::read_dir(image.root.join("etc/ssl/certs"))?.count();
    ensure!(certificates > 100, "{certificates}");
    let server = image.lab.postgres()?;
    let target = server
        .conn()
        .set("host", "127.0.0.1")
        .set("sslmode", "verify-full");
    let target = target.set("sslrootcert", "system").to_string();
    let (status, report) = image.report(&["check", &target])?;
    ensure!(status == Some(1), "{report:#}");
    let cause = &report["verdict"]["cause"];
    ensure!(cause == "tls.cert.unknown-ca", "{:#}", report["verdict"]);
    // An authority that is put into the store is trusted.
    let authority = image.lab.ca().cert();
    let name = format!("etc/ssl/certs/{:08x}.0", authority.subject_name_hash());
    std::fs::write(image.root.join(name), authority.to_pem()?)?;
    let (status, report) = image.report(&["check", &target])?;
    ensure!(status == Some(0), "{report:#}");
    Ok(())
}

/// glibc finds names without any module of its own in the image.
fn names(image: &Image) -> Result<()> {
    std::fs::write(image.root.join("etc/hosts"), "127.0.0.1 db.image.test\n")?;
    let port = image.lab.postgres()?.port();
    let target = format!("host=db.image.test port={port} user=app dbname=appdb sslmode=disable");
    let (_, report) = image.report(&["dns", &target])?;
    ensure!(report["verdict"]["status"] == "pass", "{report:#}");
    Ok(())
}

fn tunnel(image: &Image) -> Result<()> {
    let sshd = image.lab.sshd()?;
    let route = sshd.route();
    let home = image.root.join("home/nonroot");
    let inside = |file: Option<PathBuf>, name: &str| -> Result<String> {
        let copy = home.join(name);
        std::fs::copy(file.context("no file")?, &copy)?;
        std::os::unix::fs::chown(&copy, Some(USER), Some(USER))?;
        Ok(format!("/home/nonroot/{name}"))
    };
    let key = inside(route.key, "id")?;
    let known_hosts = inside(route.known_hosts, "known_hosts")?;
    let target = image.lab.postgres()?.conn().to_string();
    let hops = route.hops.join(",");
    let ssh = [
        "--ssh",
        &hops,
        "--ssh-key",
        &key,
        "--ssh-known-hosts",
        &known_hosts,
    ];
    let (status, report) = image.report(&[&["check", &target][..], &ssh].concat())?;
    ensure!(status == Some(0), "{report:#}");
    Ok(())
}

/// No program but one, and for each library the package that scanners look up.
fn contents(image: &Image) -> Result<()> {
    let names = |folder: &str| -> Result<Vec<String>> {
        let entries = std::fs::read_dir(image.root.join(folder))?;
        let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        names.collect()
    };
    ensure!(names("usr/bin")? == ["dbdoctor"]);
    for folder in ["bin", "sbin", "usr/sbin", "usr/local"] {
        ensure!(!image.root.join(folder).exists(), "{folder}");
    }
    let packages = names("var/lib/dpkg/status.d")?;
    for package in ["libc6", "libssl3", "ca-certificates"] {
        let has = packages.iter().any(|name| name.starts_with(package));
        ensure!(
            has || !Path::new("/usr/bin/dpkg").exists(),
            "{package} in {packages:?}"
        );
    }
    Ok(())
}
