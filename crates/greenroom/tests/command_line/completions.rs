//! Shell completions and man pages, made from the command line itself.

use crate::program::{folder, run};

#[test]
fn every_shell_gets_a_script_that_knows_the_commands() {
    let home = folder();
    for shell in ["bash", "zsh", "fish"] {
        let output = run(&home, &["completions", shell]);
        assert_eq!(output.code, 0, "{}", output.errors);
        for word in ["serve", "doctor", "take-over", "webhook"] {
            assert!(output.out.contains(word), "{shell}: {word} is missing");
        }
    }
    assert_eq!(run(&home, &["completions", "basic"]).code, 2);
}

#[test]
fn bash_accepts_its_script_and_completes_a_command() {
    let home = folder();
    let script = home.path().join("greenroom.bash");
    std::fs::write(&script, run(&home, &["completions", "bash"]).out).expect("write the script");
    let test = format!(
        "source {} && COMP_WORDS=(greenroom doc) COMP_CWORD=1 && _greenroom greenroom doc greenroom && echo \"${{COMPREPLY[*]}}\"",
        script.display()
    );
    let output = std::process::Command::new("bash").args(["-c", &test]).output().expect("run bash");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "doctor", "{output:?}");
}

#[test]
fn there_is_a_man_page_of_every_command() {
    let home = folder();
    let dir = home.path().join("man");
    let output = run(&home, &["man", &dir.display().to_string()]);
    assert_eq!(output.code, 0, "{}", output.errors);
    for name in ["greenroom.1", "greenroom-serve.1", "greenroom-cache-ls.1", "greenroom-token-show.1"] {
        let page = std::fs::read_to_string(dir.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let title = name.trim_end_matches(".1");
        assert!(page.contains(&format!(".TH {title} 1")), "{page}");
        assert!(page.contains(".SH SYNOPSIS") && page.contains(".SH OPTIONS"), "{name}");
    }
    let count = std::fs::read_dir(&dir).expect("read the folder").count();
    assert!(count > 40, "{count} pages");
}
