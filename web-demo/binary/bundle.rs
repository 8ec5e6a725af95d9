//! The page's files: named by what is in them, listed for offline use, and compressed.
//! A name with a hash never changes its meaning, so a browser may keep it for ever.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::names::short;
use crate::smaller::smaller;

/// Files of the page by path, the first being what a visitor opens.
pub(crate) struct Bundle {
    files: Vec<File>,
}

struct File {
    name: String,
    content_type: &'static str,
    octets: Vec<u8>,
    hashed: bool,
}

const HTML: &str = "text/html; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";

/// The page from its module, its glue and its assets.
pub(crate) fn page(glue: &Path, assets: &Path, world: &Path) -> Result<Bundle, Box<dyn Error>> {
    let read = |path: &Path| fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    let text =
        |path: &Path| -> Result<String, Box<dyn Error>> { Ok(String::from_utf8(read(path)?)?) };
    let mut bundle = Bundle { files: Vec::new() };
    let (module, script) = bundle.module("app", glue, text)?;
    let style = bundle.hashed(
        "style.css",
        CSS,
        bare(&joined(&assets.join("style"), "", text)?).into_bytes(),
    );
    let words = bundle.hashed("words.txt", TEXT, words(world, text)?.into_bytes());
    let icon = bundle.hashed("icon.svg", "image/svg+xml", read(&assets.join("icon.svg"))?);
    // Loaded when it is first needed.
    let (smime_module, smime_script) = bundle.module("smime", glue, text)?;
    let names = [
        ("APP_WASM", &module),
        ("APP_JS", &script),
        ("STYLE", &style),
        ("ICON", &icon),
        ("WORDS", &words),
        ("SMIME_WASM", &smime_module),
        ("SMIME_JS", &smime_script),
    ];
    let named = |mut text: String| {
        for (placeholder, name) in names {
            text = text.replace(&format!("%{placeholder}%"), name);
        }
        text
    };
    let boot = named(bare(&joined(&assets.join("script"), "\n", text)?));
    let boot = bundle.hashed("boot.js", JS, boot.into_bytes());
    let index = named(text(&assets.join("index.html"))?).replace("%BOOT%", &boot);
    bundle.files.insert(0, File::new("index.html", HTML, index.into_bytes()));
    let list: Vec<_> = bundle.files.iter().map(|file| format!("'./{}'", file.name)).collect();
    let all: Vec<u8> = bundle.files.iter().flat_map(|file| file.octets.iter().copied()).collect();
    let worker = text(&assets.join("sw.js"))?;
    let worker = worker.replace("'%FILES%'", &list.join(", ")).replace("%VERSION%", &hash(&all));
    bundle.files.push(File::new("sw.js", JS, worker.into_bytes()));
    Ok(bundle)
}

/// All texts that the page does not begin with, as `pillarbox_world::given::give` takes them.
fn words(
    world: &Path,
    text: impl Fn(&Path) -> Result<String, Box<dyn Error>>,
) -> Result<String, Box<dyn Error>> {
    let mut words = joined(&world.join("src/catalogue/en"), "\n\n", &text)?;
    let directories = [
        ("scenarios", ""),
        ("scenarios/base", "base/"),
        ("challenges", ""),
        ("../../web-demo/src/story/samples", "samples/"),
    ];
    for (directory, before) in directories {
        for path in listed(&world.join(directory))? {
            let name = path.file_stem().and_then(|name| name.to_str()).filter(|_| path.is_file());
            if let Some(name) = name {
                write!(words, "\u{c}{before}{name}\n{}", text(&path)?)?;
            }
        }
    }
    Ok(words)
}

/// A script or a style sheet without its comments of whole lines, and without what its lines are indented by.
fn bare(text: &str) -> String {
    let mut within = false;
    let is_said = |line: &&str| {
        let opens = line.starts_with("/*");
        let skipped = within || opens;
        within = skipped && !line.contains("*/");
        !skipped && !line.is_empty() && !line.starts_with("//")
    };
    let lines: Vec<_> = text.lines().map(str::trim).filter(is_said).collect();
    lines.join("\n") + "\n"
}

/// The files of a directory in the order of their names, with something between them.
fn joined(
    directory: &Path,
    between: &str,
    text: impl Fn(&Path) -> Result<String, Box<dyn Error>>,
) -> Result<String, Box<dyn Error>> {
    let files = listed(directory)?;
    let texts: Vec<_> = files.iter().map(|file| text(file)).collect::<Result<_, _>>()?;
    Ok(texts.join(between))
}

/// What is in a directory, in the order of names.
fn listed(directory: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut all: Vec<_> = fs::read_dir(directory)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    all.sort();
    Ok(all)
}

/// In place of the page.
pub(crate) fn notice() -> Bundle {
    let html = "<!doctype html><html lang=en><meta charset=utf-8><title>Pillarbox</title>\
                <p>This server was built without the playground (PILLARBOX_SKIP_WEB=1).</html>\n";
    Bundle { files: vec![File::new("index.html", HTML, html.as_bytes().to_vec())] }
}

impl File {
    fn new(name: &str, content_type: &'static str, octets: Vec<u8>) -> Self {
        Self { name: name.to_owned(), content_type, octets, hashed: false }
    }
}

impl Bundle {
    /// Adds a module and its glue, both made small, and gives their names.
    fn module(
        &mut self,
        name: &str,
        glue: &Path,
        text: impl Fn(&Path) -> Result<String, Box<dyn Error>>,
    ) -> Result<(String, String), Box<dyn Error>> {
        let path = glue.join(format!("{name}_bg.wasm"));
        let module = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let (module, script) = short(&module, &text(&glue.join(format!("{name}.js")))?)?;
        let module = self.hashed(&format!("{name}.wasm"), "application/wasm", smaller(&module)?);
        Ok((module, self.hashed(&format!("{name}.js"), JS, bare(&script).into_bytes())))
    }

    /// Adds a file under its name with its hash, and gives that.
    fn hashed(&mut self, name: &str, content_type: &'static str, octets: Vec<u8>) -> String {
        let (stem, extension) = name.split_once('.').unwrap_or((name, ""));
        let name = format!("{stem}-{}.{extension}", hash(&octets));
        self.files.push(File { hashed: true, ..File::new(&name, content_type, octets) });
        name
    }

    /// Writes the compressed files, and the Rust that embeds them.
    pub(crate) fn write(&self, out: &Path) -> Result<(), Box<dyn Error>> {
        let mut code = String::from("&[\n");
        for File { name, content_type, octets, hashed } in &self.files {
            let file = out.join(format!("{name}.gz"));
            fs::write(&file, gzip(octets)?)?;
            let smaller = out.join(format!("{name}.br"));
            fs::write(&smaller, brotli(octets)?)?;
            let octets_len = octets.len();
            writeln!(
                code,
                "File {{ name: {name:?}, content_type: {content_type:?}, hashed: {hashed}, \
                 octets_len: {octets_len}, gzip: include_bytes!({file:?}), \
                 brotli: include_bytes!({smaller:?}) }},"
            )?;
        }
        code.push_str("]\n");
        fs::write(out.join("files.rs"), code)?;
        Ok(())
    }
}

/// One pass of the search is enough: fifteen gain two parts of a thousand more.
fn gzip(octets: &[u8]) -> std::io::Result<Vec<u8>> {
    let options = zopfli::Options { iteration_count: NonZeroU64::MIN, ..Default::default() };
    let mut out = Vec::new();
    zopfli::compress(options, zopfli::Format::Gzip, octets, &mut out)?;
    Ok(out)
}

/// As small as it can be: this runs once, and what it makes is loaded often.
fn brotli(octets: &[u8]) -> std::io::Result<Vec<u8>> {
    let params = brotli::enc::BrotliEncoderParams {
        quality: 11,
        lgwin: 22,
        size_hint: octets.len(),
        ..Default::default()
    };
    let mut out = Vec::new();
    brotli::BrotliCompress(&mut &octets[..], &mut out, &params)?;
    Ok(out)
}

/// Enough of it that two files are never taken for each other.
fn hash(octets: &[u8]) -> String {
    Sha256::digest(octets).iter().take(8).fold(String::new(), |mut text, octet| {
        write!(text, "{octet:02x}").expect("writing to a string does not fail");
        text
    })
}
