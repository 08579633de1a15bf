//! Each page opens with the `[dependencies]` that it needs.

use std::fs;
use std::path::Path;

#[test]
fn each_page_opens_with_the_dependencies_of_the_manifest_that_it_names() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(package.join("Cargo.toml")).unwrap();
    let dependencies: Vec<_> = table(manifest.lines()).collect();

    let mut listed_somewhere = Vec::new();
    for page in fs::read_dir(package.join("src")).unwrap() {
        let page = page.unwrap().path();
        if page.ends_with("lib.rs") {
            continue;
        }
        let source = fs::read_to_string(&page).unwrap();
        let listed: Vec<_> = table(source.lines().filter_map(|line| line.strip_prefix("//! "))).collect();
        let named: Vec<_> = dependencies.iter().copied().filter(|dependency| names(&source, dependency)).collect();
        assert_eq!(listed, named, "{}", page.display());
        listed_somewhere.extend(listed.into_iter().map(str::to_owned));
    }
    for dependency in dependencies {
        assert!(listed_somewhere.iter().any(|listed| listed == dependency), "{dependency}");
    }
}

/// The lines of the first `[dependencies]` among those lines.
fn table<'a>(lines: impl Iterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    lines.skip_while(|line| *line != "[dependencies]").skip(1).take_while(|line| line.contains(" = "))
}

/// Whether the source has a path that starts with the crate of that line.
fn names(source: &str, dependency: &str) -> bool {
    let (package, _) = dependency.split_once(" = ").unwrap();
    let root = package.replace('-', "_") + "::";
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    source.split(|c| !is_path(c)).any(|path| path.starts_with(&root))
}
