//! Debian's kernels, of the mirror that this host's apt has: which there are, and the newest of a
//! series, kept in `target/kernels`.
//!
//! apt has a list of sources and folders of its own here: nothing of the host's is touched, and no
//! rights are needed. Of a package only the kernel is kept; no guest needs a module.

use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

/// Kernels that are alike in what the monitor can use of them.
pub struct Series {
    /// What the versions begin with; of [`NEWEST`] nothing.
    pub name: &'static str,
    /// Where Debian has it, the smaller index first: the first that offers it is taken.
    suites: &'static [&'static str],
    /// Why a daemon that refuses to start there is right, where it is.
    pub refusal: Option<&'static str>,
}

/// The series that is whatever came last.
const NEWEST: &str = "newest";

/// What is tried, oldest first.
pub const SERIES: &[Series] = &[
    Series {
        name: "5.10",
        suites: &["bullseye-security", "bullseye"],
        refusal: Some("as it should be"),
    },
    Series { name: "6.1", suites: &["bookworm-security", "bookworm"], refusal: None },
    Series {
        name: "6.12",
        suites: &["bookworm-security", "bookworm-backports", "trixie-security", "trixie"],
        refusal: None,
    },
    Series { name: NEWEST, suites: &["trixie-backports", "trixie"], refusal: None },
];

/// The names under which Debian's own suites stand in lists of sources.
const SUITES: &[&str] =
    &["bullseye", "bookworm", "trixie", "forky", "oldstable", "stable", "testing", "sid"];
/// Debian's keys, as its package debian-archive-keyring installs them.
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The images of cloud kernels: small, and with what serial consoles and cgroups need built in.
const IMAGE: &str = "linux-image-";
/// Of newer versions the kernel itself is in a package of its own.
const BINARY: &str = "linux-binary-";
/// The kernel in either package, below boot or usr/lib/modules.
const KERNEL: &str = "*/vmlinuz*";
/// The folder of a package that is being taken apart.
const PARTIAL: &str = "partial";
const FLAVOUR: &str = "-cloud-amd64";

/// A kernel that can be booted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// As `uname -r` says it.
    pub release: String,
    /// Debian's version, which begins with the version of the kernel that it was made of.
    pub version: String,
    /// The file.
    pub image: PathBuf,
}

/// A kernel that a suite offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The package that has it.
    pub package: String,
    release: String,
    version: String,
}

/// What was found out of a series.
pub enum Found {
    /// It is offered by this suite.
    Offered(Offer, Suite),
    /// The mirror does not have it, or cannot be reached.
    Absent(String),
}

/// A suite as apt sees it through folders of its own.
pub struct Suite {
    name: &'static str,
    folder: PathBuf,
}

/// Looks what the mirror of this host has of a series.
pub fn look(root: &Path, series: &Series) -> Result<Found> {
    let sources = output(Command::new("apt-get").args([
        "indextargets",
        "--format",
        "$(CREATED_BY) $(COMPONENT) $(RELEASE) $(REPO_URI)",
    ]))
    .context("the sources of apt cannot be read; the kernels are Debian's, and need a Debian")?;
    let mut why = Vec::new();
    for &name in series.suites {
        let Some(uri) = mirror(&sources, name) else {
            why.push(format!("the sources of this host's apt name no mirror that has {name}"));
            continue;
        };
        let suite = Suite { name, folder: folder(root)?.join("apt").join(name) };
        if let Err(error) = suite.update(uri) {
            why.push(format!("{error:#}"));
            continue;
        }
        match newest(&suite.images()?, series.name) {
            Some(offer) => return Ok(Found::Offered(suite.with_the_kernel(offer)?, suite)),
            None => why.push(format!("{name} has none on this host's mirror")),
        }
    }
    Ok(Found::Absent(why.join("; ")))
}

/// Downloads the package of what is offered, unless its kernel is there already.
pub fn download(root: &Path, series: &Series, offer: &Offer, suite: &Suite) -> Result<()> {
    let images = images(root, series)?;
    if offer.kept_in(&images).image.exists() {
        return Ok(());
    }
    eprintln!("kernels: {}: fetching {}", series.name, offer.package);
    let partial = images.join(PARTIAL);
    if partial.exists() {
        fs::remove_dir_all(&partial)?;
    }
    make(&partial)?;
    let wanted = format!("{}={}", offer.package, offer.version);
    let mut apt = suite.command("apt-get");
    output(apt.args(["download", &wanted]).current_dir(&partial)).map(drop)
}

/// Takes the kernel out of what was downloaded, and keeps it alone.
pub fn unpack(root: &Path, series: &Series, offer: &Offer) -> Result<Kernel> {
    let images = images(root, series)?;
    let kernel = offer.kept_in(&images);
    if kernel.image.exists() {
        return Ok(kernel);
    }
    let partial = images.join(PARTIAL);
    let package = entries(&partial)?.into_iter().find(|path| ends_in(path, "deb"));
    let package = package.with_context(|| format!("{} has no package", partial.display()))?;
    let image = partial.join("image");
    take_out(&package, KERNEL, &image)?;
    fs::rename(&image, &kernel.image)?;
    fs::remove_dir_all(&partial)?;
    // One of each series is enough.
    for old in entries(&images)?.iter().filter(|&path| *path != kernel.image) {
        fs::remove_file(old).with_context(|| format!("{} cannot be removed", old.display()))?;
    }
    Ok(kernel)
}

/// The kernel of a series that an earlier run got.
pub fn kept(root: &Path, series: &Series) -> Option<Kernel> {
    entries(&images(root, series).ok()?).ok()?.into_iter().find_map(|image| {
        let (release, version) = image.file_name()?.to_str()?.split_once('_')?;
        let (release, version) = (release.to_owned(), version.to_owned());
        Some(Kernel { release, version, image })
    })
}

/// Where everything goes that is fetched or built for guests.
pub fn folder(root: &Path) -> Result<PathBuf> {
    let folder = root.join("target/kernels");
    make(&folder)?;
    Ok(folder)
}

/// Where the kernel of a series is kept.
fn images(root: &Path, series: &Series) -> Result<PathBuf> {
    let images = folder(root)?.join("images").join(series.name);
    make(&images)?;
    Ok(images)
}

impl Offer {
    fn kept_in(&self, folder: &Path) -> Kernel {
        let (release, version) = (self.release.clone(), self.version.clone());
        let image = folder.join(format!("{release}_{version}"));
        Kernel { release, version, image }
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Suite {
    /// Reads the index of the suite, where it has changed.
    fn update(&self, uri: &str) -> Result<()> {
        make(&self.folder.join("lists/partial"))?;
        make(&self.folder.join("cache/archives/partial"))?;
        let keys =
            if Path::new(KEYS).exists() { format!("[signed-by={KEYS}] ") } else { "".into() };
        let source = format!("deb {keys}{uri} {} main\n", self.name);
        fs::write(self.folder.join("sources.list"), source)?;
        output(self.command("apt-get").args(["--error-on=any", "update"]))
            .with_context(|| format!("{} cannot be read from this host's mirror", self.name))?;
        Ok(())
    }

    /// Its packages of cloud kernels.
    fn images(&self) -> Result<Vec<Offer>> {
        let names = output(self.command("apt-cache").args(["pkgnames", IMAGE]))?;
        let names = names.lines().filter(|name| release(name).is_some());
        let names: Vec<&str> = names.collect();
        if names.is_empty() {
            return Ok(Vec::new());
        }
        Ok(read_offers(&output(self.command("apt-cache").arg("show").args(names))?))
    }

    /// The offer of the package that the kernel is in.
    fn with_the_kernel(&self, mut offer: Offer) -> Result<Offer> {
        let apart = format!("{BINARY}{}", offer.release);
        let names = output(self.command("apt-cache").args(["pkgnames", &apart]))?;
        if names.lines().any(|name| name == apart) {
            offer.package = apart;
        }
        Ok(offer)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let mut set = |name: &str, value: &str| {
            command.arg("-o").arg(format!("{name}={value}"));
        };
        let at = |name: &str| self.folder.join(name).display().to_string();
        set("Dir::Etc::SourceList", &at("sources.list"));
        set("Dir::Etc::SourceParts", "-");
        set("Dir::State::Lists", &at("lists"));
        set("Dir::State::Status", "/dev/null");
        set("Dir::Cache", &at("cache"));
        // Of a suite nothing is read but the list of packages.
        set("Acquire::Languages", "none");
        set("Acquire::IndexTargets::deb::DEP-11::DefaultEnabled", "false");
        set("Acquire::IndexTargets::deb::CNF::DefaultEnabled", "false");
        // Its user may not be able to reach these folders.
        set("APT::Sandbox::User", "root");
        set("APT::Architecture", "amd64");
        command.env("LC_ALL", "C");
        command
    }
}

/// The mirror of a suite, in a list of `Packages component suite uri` from one of its kind: the
/// archive has the suites, and updates for security are apart.
fn mirror<'a>(sources: &'a str, suite: &str) -> Option<&'a str> {
    let security = suite.ends_with("-security");
    sources.lines().find_map(|line| {
        let mut words = line.split(' ');
        let ("Packages", "main", release) = (words.next()?, words.next()?, words.next()?) else {
            return None;
        };
        let (base, kind) = release.split_once('-').unwrap_or((release, ""));
        let known =
            SUITES.contains(&base) && matches!(kind, "" | "updates" | "backports" | "security");
        (known && (kind == "security") == security).then_some(words.next()).flatten()
    })
}

/// The release that a package of a cloud kernel has the image of; packages that only depend on the
/// newest name no third number.
fn release(package: &str) -> Option<&str> {
    let release = package.strip_prefix(IMAGE)?;
    let version = release.strip_suffix(FLAVOUR)?;
    (version.starts_with(|c: char| c.is_ascii_digit()) && version.matches('.').count() >= 2)
        .then_some(release)
}

/// What `apt-cache show` says.
fn read_offers(told: &str) -> Vec<Offer> {
    let offers = told.split("\n\n").filter_map(|paragraph| {
        let field = |name: &str| paragraph.lines().find_map(|line| line.strip_prefix(name));
        let (package, version) = (field("Package: ")?, field("Version: ")?);
        let release = release(package)?.to_owned();
        Some(Offer { package: package.into(), release, version: version.into() })
    });
    offers.collect()
}

/// The newest of a series.
fn newest(offers: &[Offer], series: &str) -> Option<Offer> {
    let of_series = |offer: &&Offer| {
        let rest = offer.version.strip_prefix(series);
        series == NEWEST || rest.is_some_and(|rest| rest.starts_with('.'))
    };
    let mine = offers.iter().filter(of_series);
    mine.max_by_key(|offer| numbers(&offer.version)).cloned()
}

/// The numbers of a version, by which versions of one archive are in order.
fn numbers(version: &str) -> Vec<u64> {
    let digits = version.split(|c: char| !c.is_ascii_digit());
    digits.filter_map(|digits| digits.parse().ok()).collect()
}

/// Takes the one file out of a package whose name is like `pattern`.
fn take_out(package: &Path, pattern: &str, into: &Path) -> Result<()> {
    let mut reader = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(package)
        .stdout(Stdio::piped())
        .spawn()
        .context("dpkg-deb cannot be started")?;
    let archive = reader.stdout.take().context("standard output is not piped")?;
    let taken = Command::new("tar")
        .args(["-x", "-O", "--wildcards", pattern])
        .stdin(archive)
        .stdout(File::create(into)?)
        .status()
        .context("tar cannot be started")?;
    let read = reader.wait()?;
    ensure!(taken.success(), "{pattern} cannot be taken out of {}", package.display());
    ensure!(read.success(), "{} cannot be read by dpkg-deb ({read})", package.display());
    Ok(())
}

fn make(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder);
    let entries = entries.with_context(|| format!("{} cannot be read", folder.display()))?;
    entries.map(|entry| Ok(entry?.path())).collect()
}

fn ends_in(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|own| own == extension)
}

/// What a command prints; its own words where it fails.
fn output(command: &mut Command) -> Result<String> {
    let told = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("{told} cannot be started"))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        // What follows an error of apt's is other words for it.
        let error = words.lines().find_map(|line| line.strip_prefix("E: "));
        bail!("{told} failed ({}): {}", output.status, error.unwrap_or(words.trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn offer(package: &str, version: &str) -> Offer {
        let release = release(package).expect("an image").to_owned();
        Offer { package: package.into(), release, version: version.into() }
    }

    #[test]
    fn the_newest_of_a_series_is_by_number() {
        let told = "Package: linux-image-6.1.0-9-cloud-amd64\nVersion: 6.1.27-1\nSize: 1\n\n\
                    Package: linux-image-6.1.0-56-cloud-amd64\nVersion: 6.1.192-2\n\n\
                    Package: linux-image-6.1-cloud-amd64\nVersion: 6.1.200-1\n\n\
                    Package: linux-image-6.12.9+deb12-cloud-amd64\nVersion: 6.12.9-1~deb12u1\n";
        let offers = read_offers(told);
        let wanted = offer("linux-image-6.1.0-56-cloud-amd64", "6.1.192-2");
        assert_eq!(newest(&offers, "6.1"), Some(wanted));
        let wanted = offer("linux-image-6.12.9+deb12-cloud-amd64", "6.12.9-1~deb12u1");
        assert_eq!(newest(&offers, NEWEST), Some(wanted));
        assert_eq!(newest(&offers, "5.10"), None);
    }

    #[test]
    fn a_suite_is_looked_for_where_its_kin_is() {
        let sources = "Packages main nodistro https://one.example/\n\
                       DEP-11 main bookworm http://two.example/\n\
                       Packages main bookworm-pgdg http://three.example/\n\
                       Packages main bookworm-security http://four.example/security/\n\
                       Packages main bookworm http://four.example/debian/\n";
        assert_eq!(mirror(sources, "trixie-backports"), Some("http://four.example/debian/"));
        assert_eq!(mirror(sources, "bullseye-security"), Some("http://four.example/security/"));
        assert_eq!(mirror("", "bullseye"), None);
    }
}
