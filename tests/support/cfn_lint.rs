//! cfn-lint, AWS's own checker of CloudFormation templates, with its lists of what each region
//! has, what each IAM action may name, and how each property looks.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// What the checker finds in templates for a region, remarks too; a name belongs to each.
///
/// # Panics
///
/// When the virtual environment that `tests/run` makes is not there.
pub fn findings(region: &str, templates: &[(String, String)]) -> Vec<String> {
    let folder = TempDir::new().expect("a temporary folder");
    let mut command = Command::new(venv().join("bin/cfn-lint"));
    // Errors, warnings and remarks, each as an entry of a list.
    command.args(["--regions", region, "--include-checks", "I"]);
    command.args(["--format", "json", "--"]);
    for (at, (_, template)) in templates.iter().enumerate() {
        let file = folder.path().join(format!("{at}.json"));
        std::fs::write(&file, template).expect("a writable temporary folder");
        command.arg(file);
    }
    let output = command.stdin(Stdio::null()).output();
    let output = output.expect("bin/cfn-lint of the virtual environment of tests/run");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.is_empty(), "cfn-lint: {errors}");
    let found: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON of cfn-lint");
    let told = |finding: &Value| {
        let file = Path::new(finding["Filename"].as_str().unwrap_or_default());
        let at = file
            .file_stem()
            .and_then(|stem| stem.to_str()?.parse().ok());
        let name = at
            .and_then(|at: usize| templates.get(at))
            .map(|(name, _)| name);
        let (rule, place) = (&finding["Rule"]["Id"], &finding["Location"]["Path"]);
        format!("{name:?} {rule} {place}: {}", finding["Message"])
    };
    found.iter().map(told).collect()
}

/// Every document of a stream of YAML, by a parser that is not ours.
///
/// # Panics
///
/// When it is no YAML.
pub fn documents(stream: &str) -> Vec<Value> {
    const READ: &str = "import json, sys, yaml\n\
                        print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))";
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("stream.yaml");
    std::fs::write(&file, stream).expect("a writable temporary folder");
    let mut command = Command::new(venv().join("bin/python"));
    let output = command.args(["-X", "utf8", "-c", READ]).arg(file).output();
    let output = output.expect("Python of the virtual environment");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "not YAML: {errors}\n{stream}");
    serde_json::from_slice(&output.stdout).expect("a list of documents")
}

fn venv() -> PathBuf {
    let made = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-tools/cfn-lint");
    std::env::var_os("CFN_LINT_VENV").map_or(made, PathBuf::from)
}
