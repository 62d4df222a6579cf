//! Each on files laid out as the language's tools lay them out; real processes
//! are looked at in the lab.

use std::fs::{self, File};

use super::*;

/// A root directory with these files.
fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root
}

fn paths(of: &[&str]) -> Vec<PathBuf> {
    of.iter().map(PathBuf::from).collect()
}

/// What is found, each as people name it and how it was told.
fn found(traces: Traces, directory: &str, root: &Path, vars: &[(&str, &str)]) -> Vec<String> {
    let process = Process {
        traces: &traces,
        directory: Path::new(directory),
        variable: &|name| {
            let set = vars.iter().find(|(known, _)| *known == name)?;
            Some(set.1.to_owned())
        },
        root,
    };
    let say = |one: Detected| {
        let version = match one.driver.version_known {
            true => one.driver.version.to_string(),
            false => "?".to_owned(),
        };
        let libpq = one.driver.libpq.map(|libpq| format!("/{libpq}"));
        let told = one.told_by.split(' ').next().unwrap_or_default().to_owned();
        let (name, libpq) = (one.driver.name(), libpq.unwrap_or_default());
        format!("{name}@{version}{libpq} {told}")
    };
    detect(&process).into_iter().map(say).collect()
}

fn of(program: &str, mapped: &[&str]) -> Traces {
    Traces {
        program_path: program.into(),
        mapped: paths(mapped),
        ..Traces::default()
    }
}

#[test]
fn the_version_of_libpq_is_in_its_name() {
    let version = |name| libpq_version(name).map(|version| version.to_string());
    assert_eq!(version("libpq.so.5.15").as_deref(), Some("15"));
    assert_eq!(version("libpq-9b38f5e3.so.5.17").as_deref(), Some("17"));
    for other in [
        "libpq.so.5",
        "libpqxx-7.so",
        "libpq.so.6.1",
        "libpqtypes.so.5.1",
    ] {
        assert_eq!(version(other), None, "{other}");
    }
}

#[test]
fn what_python_has_loaded() {
    const SITE: &str = "/srv/venv/lib/python3.12/site-packages";
    let at = |path: &str| format!("{SITE}/{path}");
    let root = root(&[
        (&at("psycopg2_binary-2.9.9.dist-info/METADATA"), ""),
        (&at("asyncpg-0.29.0.dist-info/METADATA"), ""),
        (&at("pg8000-1.31.2.dist-info/METADATA"), ""),
        (&at("SQLAlchemy-2.0.30.dist-info/METADATA"), ""),
    ]);
    let psycopg2 = at("psycopg2/_psycopg.cpython-312-x86_64-linux-gnu.so");
    let libpq = at("psycopg2_binary.libs/libpq-e8a033dd.so.5.16");
    let engine = at("sqlalchemy/cyextension/collections.cpython-312.so");
    let python = "/usr/local/bin/python3.12";
    let loaded = of(python, &[&psycopg2, &libpq, &engine]);
    let said = format!("sqlalchemy+psycopg2@2.9.9/16 {psycopg2}");
    assert_eq!(found(loaded, "/", root.path(), &[]), [said]);
    // Before the first connection nothing is loaded, and all that is installed may be.
    let mut idle = of(python, &["/usr/lib/libpython3.12.so"]);
    idle.arguments = ["/srv/venv/bin/python", "-m", "orders"]
        .map(str::to_owned)
        .to_vec();
    let all = found(idle, "/srv", root.path(), &[]);
    assert_eq!(all.len(), 3, "{all:?}");
    assert!(all[2].starts_with("pg8000@1.31.2 /srv/venv/lib"), "{all:?}");
    // Debian's way.
    let dist = self::root(&[(
        "/usr/lib/python3/dist-packages/asyncpg-0.27.0.egg-info/x",
        "",
    )]);
    let extension = "/usr/lib/python3/dist-packages/asyncpg/protocol/protocol.cpython-311.so";
    let all = found(
        of("/usr/bin/python3.11", &[extension]),
        "/",
        dist.path(),
        &[],
    );
    assert_eq!(all, [format!("asyncpg@0.27.0 {extension}")]);
}

#[test]
fn the_packages_that_node_would_load() {
    let root = root(&[
        (
            "/srv/app/node_modules/pg/package.json",
            r#"{"name":"pg","version":"8.11.3"}"#,
        ),
        ("/srv/app/dist/server.js", ""),
        (
            "/srv/node_modules/postgres/package.json",
            r#"{"name":"other","version":"1.0.0"}"#,
        ),
        (
            "/srv/app/node_modules/.pnpm/@prisma+client@6.1.0/node_modules/@prisma/client/package.json",
            r#"{"name":"@prisma/client","version":"6.1.0"}"#,
        ),
    ]);
    let mut traces = of("/usr/bin/node", &[]);
    traces.arguments = ["node", "--enable-source-maps", "dist/server.js"]
        .map(str::to_owned)
        .to_vec();
    let all = found(traces, "/srv/app", root.path(), &[]);
    assert_eq!(all.len(), 2, "{all:?}");
    assert_eq!(
        all[0],
        "node-postgres@8.11.3 /srv/app/node_modules/pg/package.json"
    );
    assert!(all[1].starts_with("prisma@6.1.0 "), "{all:?}");
    // A process manager's own program is elsewhere.
    let mut managed = of("/usr/bin/node", &[]);
    managed.arguments = ["node /usr/lib/pm2/ProcessContainerFork.js".to_owned()].to_vec();
    let script = [("pm_exec_path", "/srv/app/dist/server.js")];
    assert_eq!(found(managed, "/", root.path(), &script).len(), 2);
    // No other program is asked for its packages.
    assert!(found(of("/usr/bin/vim", &[]), "/srv/app", root.path(), &[]).is_empty());
}

#[test]
fn the_jars_that_are_open() {
    let jars = |open: &[&str]| Traces {
        open: paths(open),
        ..of("/usr/lib/jvm/17/bin/java", &[])
    };
    let none = tempfile::tempdir().unwrap();
    let all = found(
        jars(&[
            "/app/lib/spring-jdbc-6.1.jar",
            "/app/lib/postgresql-42.6.0.jar",
        ]),
        "/app",
        none.path(),
        &[],
    );
    assert_eq!(all, ["pgjdbc@42.6.0 /app/lib/postgresql-42.6.0.jar"]);
    let quarkus = jars(&["/app/lib/main/org.postgresql.postgresql-42.7.3.jar"]);
    assert_eq!(
        found(quarkus, "/", none.path(), &[])[0].split(' ').next(),
        Some("pgjdbc@42.7.3")
    );
    for other in [
        "r2dbc-postgresql-1.0.5.jar",
        "flyway-database-postgresql-10.0.jar",
        "postgresql-1.19.3.jar",
    ] {
        assert!(
            found(jars(&[other]), "/", none.path(), &[]).is_empty(),
            "{other}"
        );
    }
}

#[test]
fn a_jar_with_the_driver_in_it() {
    use std::io::Write;
    let root = tempfile::tempdir().unwrap();
    let mut jar = zip::ZipWriter::new(File::create(root.path().join("all.jar")).unwrap());
    let options = zip::write::SimpleFileOptions::default();
    jar.start_file("org/postgresql/Driver.class", options)
        .unwrap();
    jar.start_file(
        "META-INF/maven/org.postgresql/postgresql/pom.properties",
        options,
    )
    .unwrap();
    jar.write_all(b"artifactId=postgresql\nversion=42.5.4\n")
        .unwrap();
    jar.finish().unwrap();
    fs::write(root.path().join("broken.jar"), "PK\x03\x04 no archive").unwrap();
    let traces = Traces {
        open: paths(&["/broken.jar", "/all.jar", "/gone.jar"]),
        ..of("/usr/bin/java", &[])
    };
    assert_eq!(
        found(traces, "/", root.path(), &[]),
        ["pgjdbc@42.5.4 /all.jar"]
    );
}

#[test]
fn extensions_of_other_languages() {
    let root = root(&[
        (
            "/app/orders.deps.json",
            r#"{"libraries":{"Npgsql/8.0.3":{"type":"package"}}}"#,
        ),
        ("/rel/lib/postgrex-0.17.5/ebin/postgrex.app", ""),
        (
            "/usr/share/rubygems-integration/3.1.0/specifications/pg-1.4.5.gemspec",
            "",
        ),
    ]);
    let one = |traces: Traces| found(traces, "/rel", root.path(), &[]).join(", ");
    let php = "/usr/local/lib/php/extensions/no-debug-non-zts-20230831/pdo_pgsql.so";
    let libpq = "/usr/lib/libpq.so.5.16";
    assert_eq!(
        one(of("/usr/local/sbin/php-fpm", &[php, libpq])),
        format!("pdo-pgsql@8.3/16 {php}")
    );
    let gem = "/usr/local/bundle/gems/pg-1.5.6/lib/pg_ext.so";
    assert_eq!(
        one(of("/usr/local/bin/ruby", &[gem, libpq])),
        format!("ruby-pg@1.5.6/16 {gem}")
    );
    let debian = "/usr/lib/x86_64-linux-gnu/ruby/vendor_ruby/3.1.0/pg_ext.so";
    assert_eq!(
        one(of("/usr/bin/ruby3.1", &[debian])),
        format!("ruby-pg@1.4.5 {debian}")
    );
    assert_eq!(
        one(of("/usr/bin/dotnet", &["/app/Npgsql.dll"])),
        "npgsql@8.0.3 /app/Npgsql.dll"
    );
    assert_eq!(
        one(of("/rel/erts-14.0/bin/beam.smp", &[])),
        "postgrex@0.17.5 /rel/lib/postgrex-0.17.5"
    );
    // Without any of them libpq is the driver.
    assert_eq!(
        one(of("/usr/bin/worker", &[libpq])),
        format!("libpq@16 {libpq}")
    );
    assert_eq!(one(of("/usr/bin/worker", &["/usr/lib/libc.so.6"])), "");
}

#[test]
fn files_that_would_be_waited_for_are_not_opened() {
    let root = root(&[("/srv/node_modules/pg/index.js", "")]);
    let pipe = root.path().join("srv/node_modules/pg/package.json");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut traces = of("/usr/bin/node", &[]);
    traces.arguments = ["node", "server.js"].map(str::to_owned).to_vec();
    assert!(found(traces, "/srv", root.path(), &[]).is_empty());
}
