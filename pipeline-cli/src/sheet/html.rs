//! The page for browsers and paper: one file that needs no other, in light, dark and print, readable without pictures.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipeline_core::model::ItemStatus;

use super::Card;

/// The page's own style. Colours only repeat what words say; both sets have at least 4.5 to 1 against their ground.
const STYLE: &str = include_str!("sheet.css");

/// A page that is being written, card by card: nothing of it is kept in memory.
#[derive(Debug)]
pub(crate) struct HtmlSheet<W> {
    out: W,
}

impl<W: Write> HtmlSheet<W> {
    /// Begins a page. `counts` are words such as `480 succeeded`.
    pub(crate) fn begin(mut out: W, title: &str, below: &str, counts: &[String]) -> io::Result<Self> {
        let title = escaped(title);
        write!(
            out,
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n\
             <body>\n<header>\n<h1>{title}</h1>\n<p>{}</p>\n<ul class=\"counts\">",
            escaped(below)
        )?;
        for count in counts {
            write!(out, "<li>{}</li>", escaped(count))?;
        }
        out.write_all(b"</ul>\n</header>\n<main>\n<ol class=\"cards\">\n")?;
        Ok(Self { out })
    }

    /// Adds a card with a picture that is a JPEG.
    pub(crate) fn card(&mut self, card: &Card, picture: Option<&[u8]>) -> io::Result<()> {
        let (name, place) = (escaped(&card.name), escaped(&card.place));
        let state = card.status.as_str();
        write!(self.out, "<li class=\"{}\"><figure>", tone(card.status))?;
        match picture {
            Some(picture) => {
                let title = if card.title.is_empty() { &card.name } else { &card.title };
                let (title, data) = (escaped(title), STANDARD.encode(picture));
                write!(
                    self.out,
                    "<div class=\"picture\"><img alt=\"{title}\" loading=\"lazy\" decoding=\"async\" \
                     src=\"data:image/jpeg;base64,{data}\"></div>"
                )?;
            }
            None => self.out.write_all(b"<div class=\"picture none\">no picture</div>")?,
        }
        write!(
            self.out,
            "<figcaption><p class=\"name\"><span class=\"place\">{place}</span> {name}</p><p class=\"state\">{state}</p>"
        )?;
        for (class, text) in [("why", &card.why), ("title", &card.title), ("scores", &card.scores())] {
            if !text.is_empty() {
                write!(self.out, "<p class=\"{class}\">{}</p>", escaped(text))?;
            }
        }
        self.out.write_all(b"</figcaption></figure></li>\n")
    }

    /// Ends the page and gives back where it was written.
    pub(crate) fn end(mut self) -> io::Result<W> {
        self.out.write_all(b"</ol>\n</main>\n</body>\n</html>\n")?;
        Ok(self.out)
    }
}

/// The class of a state's colour.
const fn tone(status: ItemStatus) -> &'static str {
    match status {
        ItemStatus::Succeeded => "good",
        ItemStatus::Failed => "bad",
        ItemStatus::Rejected | ItemStatus::Undecided => "warning",
        ItemStatus::Pending
        | ItemStatus::Running
        | ItemStatus::Waiting
        | ItemStatus::Filtered
        | ItemStatus::Cancelled => "plain",
    }
}

/// Text that is nothing but text, in an element as in an attribute.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(card: &Card, picture: Option<&[u8]>) -> String {
        let mut page = HtmlSheet::begin(Vec::new(), "A <job>", "below & more", &["1 failed".to_owned()]).unwrap();
        page.card(card, picture).unwrap();
        String::from_utf8(page.end().unwrap()).unwrap()
    }

    fn card() -> Card {
        Card {
            place: "1.2".to_owned(),
            name: "<script>alert('x')</script>\"".to_owned(),
            status: ItemStatus::Failed,
            why: "qc: too <b>dark</b>".to_owned(),
            title: "A \"fox\" & den".to_owned(),
            scores: vec![("sharpness".to_owned(), 812.345), ("clipping".to_owned(), 0.014)],
            picture: None,
        }
    }

    #[test]
    fn texts_are_text_and_the_page_needs_nothing_else() {
        let page = page(&card(), Some(b"\xff\xd8\xff"));
        for expected in [
            "<title>A &lt;job&gt;</title>",
            "below &amp; more",
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;",
            "qc: too &lt;b&gt;dark&lt;/b&gt;",
            "alt=\"A &quot;fox&quot; &amp; den\"",
            "src=\"data:image/jpeg;base64,/9j/\"",
            "<p class=\"state\">failed</p>",
            "sharpness 812 · clipping 0.01",
        ] {
            assert!(page.contains(expected), "{expected}: {page}");
        }
        for foreign in ["<script", "http:", "https:", "url(", "@import", "onload"] {
            assert!(!page.contains(foreign), "{foreign}");
        }
    }

    #[test]
    fn a_card_without_a_picture_says_so_in_words() {
        let page = page(&Card { title: String::new(), scores: Vec::new(), why: String::new(), ..card() }, None);
        assert!(page.contains("no picture") && !page.contains("<img"), "{page}");
        assert!(!page.contains("class=\"why\"") && !page.contains("class=\"scores\""), "{page}");
    }

    #[test]
    fn the_style_knows_paper_and_the_dark() {
        for expected in ["@media print", "prefers-color-scheme: dark", "break-inside: avoid"] {
            assert!(STYLE.contains(expected), "{expected}");
        }
    }
}
