//! Messages that once were wrong: each says the fact and what to type.

use crate::program::{folder, run};

#[test]
fn a_token_is_not_made_by_looking_for_it() {
    let home = folder();
    let empty = home.path().join("empty");
    std::fs::create_dir(&empty).expect("create the folder");
    let dir = empty.display().to_string();
    for command in
        [["token", "show"].as_slice(), &["token", "show", "--read-only"], &["token", "webhook"], &["token", "rotate"]]
    {
        let output = run(&home, &[command, &["--data-dir", &dir]].concat());
        assert_eq!(output.code, 1, "{command:?}: {}", output.errors);
        assert!(output.errors.contains(&format!("no Greenroom data in {dir}")), "{}", output.errors);
        assert!(output.errors.contains("--data-dir"), "{}", output.errors);
        assert_eq!(output.out, "");
        assert_eq!(std::fs::read_dir(&empty).expect("read the folder").count(), 0, "{command:?} made a file");
    }
    let none = home.path().join("none").display().to_string();
    let output = run(&home, &["token", "show", "--data-dir", &none]);
    assert!(output.errors.contains(&format!("no Greenroom data in {none}")), "{}", output.errors);
    assert!(!std::path::Path::new(&none).exists(), "the folder was made");
}

#[test]
fn a_token_is_shown_as_it_is_and_a_damaged_one_is_said_to_be_damaged() {
    let home = folder();
    let dir = home.path().display().to_string();
    std::fs::write(home.path().join("control.token"), "0123456789abcdef0123456789abcdef").expect("write the token");
    let show = ["token", "show", "--data-dir", &dir];
    assert_eq!(run(&home, &show).out, "0123456789abcdef0123456789abcdef\n");
    std::fs::write(home.path().join("control.token"), "short").expect("write the token");
    let output = run(&home, &show);
    assert_eq!((output.code, output.out.as_str()), (1, ""));
    assert!(output.errors.contains("greenroom token rotate"), "{}", output.errors);
}

#[test]
fn the_demo_accepts_for_prefetch_what_its_help_names() {
    let home = folder();
    let help = run(&home, &["demo", "--help"]);
    assert!(help.out.contains("[possible values: on, off]"), "{}", help.out);
    let output = run(&home, &["demo", "--prefetch", "true"]);
    assert_eq!(output.code, 2);
    assert!(output.errors.contains("[possible values: on, off]"), "{}", output.errors);
}

#[test]
fn the_written_configuration_says_which_of_its_lines_are_examples() {
    let home = folder();
    let text = run(&home, &["config", "init"]).out;
    assert!(text.contains("shows its default, unless its comment begins with \"example\""), "{text}");
    let music = text.lines().find(|line| line.starts_with("# music =")).expect("find the line");
    assert!(music.contains("# example"), "{music}");
}

#[test]
fn a_playlist_that_is_none_is_described_once() {
    let home = folder();
    let files: [(&str, &[u8], &str); 4] = [
        ("picture.png", b"\x89PNG\r\n\x1a\n\0\0\0\0", "a picture"),
        ("page.html", b"<html><body>hello</body></html>", "a web page"),
        ("table.csv", b"a,b,c\n1,2,3\n", "a, b, c"),
        ("empty.m3u", b"", "the playlist is empty"),
    ];
    for (name, bytes, fact) in files {
        let path = home.path().join(name).display().to_string();
        std::fs::write(&path, bytes).expect("write the file");
        let output = run(&home, &["sync", &path, "--to", "home"]);
        assert_eq!(output.code, 1, "{name}");
        assert_eq!(output.errors.lines().count(), 1, "{}", output.errors);
        for once in [name, fact, "expected"] {
            assert_eq!(output.errors.matches(once).count(), 1, "{once} in {}", output.errors);
        }
    }
}

/// A read-only file system in a folder; `None` where this user may not mount one.
fn mount_read_only(folder: &std::path::Path, prepare: impl FnOnce(&std::path::Path)) -> Option<Mount> {
    let mount = |arguments: &[&str]| {
        let mut command = std::process::Command::new("mount");
        command.args(arguments).arg(folder).stderr(std::process::Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    if !mount(&["-t", "tmpfs", "-o", "size=1m", "tmpfs"]) {
        return None;
    }
    let mounted = Mount(folder.to_owned());
    prepare(folder);
    mount(&["-o", "remount,ro"]).then_some(mounted)
}

/// A mounted file system, which is unmounted with this value.
struct Mount(std::path::PathBuf);

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(&self.0).status(); // Nothing is in use there any more.
    }
}

#[test]
fn the_first_line_on_a_read_only_directory_is_the_fact() {
    let home = folder();
    let dir = home.path().join("data");
    std::fs::create_dir(&dir).expect("create the folder");
    let Some(_mount) = mount_read_only(&dir, |_| ()) else {
        eprintln!("this user may not mount a file system: not tried");
        return;
    };
    for path in [dir.clone(), dir.join("new")] {
        let path = path.display().to_string();
        let arguments =
            ["serve", "--plex", "http://127.0.0.1:9", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"];
        let output = run(&home, &[&arguments[..], &["--data-dir", &path]].concat());
        assert_eq!(output.code, 1);
        let lines: Vec<&str> = output.errors.lines().collect();
        assert_eq!(lines[0], format!("greenroom: {path} is on a file system that is read-only"));
        assert!(lines[1].contains("mount it for writing") && lines.len() == 2, "{}", output.errors);
    }
}
