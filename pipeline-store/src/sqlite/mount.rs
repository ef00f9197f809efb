//! Whether a file lies where other machines may open it, too.

use std::path::{Path, PathBuf};

/// File systems of the network, as Linux names them. SQLite's log works within one machine only
/// (<https://www.sqlite.org/wal.html>, "All processes using a database must be on the same host computer").
const NETWORK: [&str; 17] = [
    "9p",
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "fuse.ceph",
    "fuse.glusterfs",
    "fuse.rclone",
    "fuse.s3fs",
    "fuse.sshfs",
    "glusterfs",
    "gpfs",
    "lustre",
    "nfs",
    "nfs4",
    "smb3",
    "smbfs",
];

/// Returns the kind of the file system a file lies on, where that is one of the network. Known on Linux only.
pub(super) fn network(file: &Path) -> Option<&'static str> {
    let table = std::fs::read("/proc/self/mountinfo").ok()?;
    let found = kind(&String::from_utf8_lossy(&table), &file.canonicalize().ok()?)?;
    NETWORK.into_iter().find(|network| *network == found)
}

/// Finds a path in the table of mounts. Its format is described in proc(5): the place is the fifth word of a line, the
/// kind comes after a lone dash. What is mounted over another one comes later.
fn kind(table: &str, path: &Path) -> Option<String> {
    let mounts = table.lines().filter_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        Some((unescaped(place.split(' ').nth(4)?), kind.split(' ').next()?))
    });
    let around = mounts.filter(|(place, _)| path.starts_with(place));
    around.max_by_key(|(place, _)| place.components().count()).map(|(_, kind)| kind.to_owned())
}

/// Blanks are written as octal numbers, so that words end at blanks.
fn unescaped(place: &str) -> PathBuf {
    let escapes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    PathBuf::from(escapes.iter().fold(place.to_owned(), |text, (escape, plain)| text.replace(escape, plain)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
40 22 0:35 / /srv/photos rw,relatime shared:9 - nfs4 nas:/photos rw,vers=4.2
41 40 0:36 / /srv/photos/cache rw - tmpfs tmpfs rw
42 22 0:37 / /mnt/my\\040share rw - cifs //nas/share rw
43 22 0:38 / /home rw - nfs nas:/home rw
44 22 8:2 / /home rw - xfs /dev/sdb rw";

    #[test]
    fn a_path_is_on_the_innermost_mount_around_it() {
        for (path, found) in [
            ("/srv", "ext4"),
            ("/srv/photos", "nfs4"),
            ("/srv/photos/2026/11", "nfs4"),
            ("/srv/photos/cache/a", "tmpfs"),
            ("/srv/photos-old", "ext4"),
            ("/mnt/my share/jobs", "cifs"),
            ("/home/me", "xfs"),
        ] {
            assert_eq!(kind(TABLE, Path::new(path)).as_deref(), Some(found), "{path}");
        }
        assert_eq!(kind("", Path::new("/srv")), None);
    }

    #[test]
    fn the_folder_of_these_tests_is_not_on_the_network() {
        assert_eq!(network(&std::env::temp_dir()), None);
    }
}
