//! PHP, Ruby, .NET and Elixir.

use std::path::{Path, PathBuf};

use super::files::Files;
use super::{Detected, Process, installed, loaded, name};

pub fn find(process: &Process<'_>, files: &Files<'_>) -> Vec<Detected> {
    [php, ruby, dotnet, elixir]
        .iter()
        .filter_map(|find| find(process, files))
        .collect()
}

/// The extension; its directory is named after the version of PHP's interface.
fn php(process: &Process<'_>, _: &Files<'_>) -> Option<Detected> {
    const INTERFACES: [(&str, &str); 9] = [
        ("20180731", "7.3"),
        ("20190902", "7.4"),
        ("20200930", "8.0"),
        ("20210902", "8.1"),
        ("20220829", "8.2"),
        ("20230831", "8.3"),
        ("20240924", "8.4"),
        ("20250925", "8.5"),
        ("20170718", "7.2"),
    ];
    let path = process.mapped(|path| name(path).ends_with("pdo_pgsql.so"))?;
    let folder = name(path.parent()?);
    let version = INTERFACES
        .iter()
        .find(|(interface, _)| folder.ends_with(interface))
        .map(|(_, version)| *version);
    let found = loaded("pdo-pgsql", path)?.version(version);
    Some(found.on_libpq(process.libpq()))
}

/// The extension, in a directory of the gem's version; Debian's is elsewhere.
fn ruby(process: &Process<'_>, files: &Files<'_>) -> Option<Detected> {
    let path = process.mapped(|path| name(path) == "pg_ext.so")?;
    let gem = |name: &str| name.strip_prefix("pg-").map(str::to_owned);
    let folders = path.ancestors().skip(1);
    let version = { folders }
        .find_map(|folder| gem(&name(folder)))
        .or_else(|| {
            let integration = Path::new("/usr/share/rubygems-integration");
            let mut all = files.names(integration).into_iter().flat_map(|release| {
                let folder = integration.join(release).join("specifications");
                files.names(&folder)
            });
            all.find_map(|name| gem(name.strip_suffix(".gemspec")?))
        });
    let found = loaded("ruby-pg", path)?.version(version.as_deref());
    Some(found.on_libpq(process.libpq()))
}

/// The assembly; its version stands in the list beside the application's.
fn dotnet(process: &Process<'_>, files: &Files<'_>) -> Option<Detected> {
    let paths = process.traces.mapped.iter().chain(&process.traces.open);
    let path = { paths }.find(|path| name(path) == "Npgsql.dll")?;
    let folder = path.parent()?;
    let version = files.names(folder).into_iter().find_map(|entry| {
        entry.strip_suffix(".deps.json")?;
        let text = files.text(&folder.join(&entry))?;
        let (_, rest) = text.split_once("\"Npgsql/")?;
        Some(rest.split_once('"')?.0.to_owned())
    });
    Some(loaded("npgsql", path)?.version(version.as_deref()))
}

/// The application of a release, or of a project that is run where it is built.
fn elixir(process: &Process<'_>, files: &Files<'_>) -> Option<Detected> {
    if process.program() != "beam.smp" {
        return None;
    }
    let arguments = &process.traces.arguments;
    let after = |flag: &str| {
        let at = arguments.iter().position(|word| word == flag)?;
        arguments.get(at + 1).map(|word| process.absolute(word))
    };
    let roots = [
        after("-root"),
        after("--root"),
        Some(process.directory.to_owned()),
    ];
    let of_release = roots.into_iter().flatten().find_map(|root| {
        let library = root.join("lib");
        let names = files.names(&library).into_iter();
        let mut versions = names.filter_map(|name| {
            let version = name.strip_prefix("postgrex-")?.to_owned();
            Some((library.join(&name), version))
        });
        versions.next_back()
    });
    let (path, version) = of_release.or_else(|| of_build(process, files))?;
    installed("postgrex", &path).map(|found| found.version(Some(&version)))
}

fn of_build(process: &Process<'_>, files: &Files<'_>) -> Option<(PathBuf, String)> {
    let builds = process.directory.join("_build");
    files.names(&builds).into_iter().find_map(|build| {
        let library = builds.join(build).join("lib/postgrex/ebin/postgrex.app");
        let text = files.text(&library)?;
        let (_, rest) = text.split_once("{vsn,\"")?;
        Some((library, rest.split_once('"')?.0.to_owned()))
    })
}
