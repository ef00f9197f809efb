//! Title, description and tags of a picture.

use serde_json::{Value, json};

use super::words::{capital, list, telling};
use crate::local::procedural::random::Random;

/// The most characters of a tag.
const LONGEST_TAG: usize = 40;

const KINDS: &[&str] = &["Artwork", "Artistic Composition", "Illustration", "Visual Study"];
const LOOKS: &[&str] = &["Serene", "Striking", "Elegant", "Timeless", "Vivid", "Graceful", "Atmospheric", "Expressive"];
const QUALITIES: &[&str] = &["Depth", "Harmony", "Light", "Texture", "Balance", "Rhythm", "Contrast", "Character"];
const PURPOSES: &[&str] = &[
    "Well suited to wall art, prints and covers.",
    "A good fit for posters, websites and presentations.",
    "Works well as a background, a print or a cover.",
    "Made for interiors, editorial pages and screens.",
];
const FILLERS: &[&str] = &[
    "The composition leads the eye calmly from the front to the depth.",
    "Its details reward a second look.",
    "Fine texture gives the surface warmth.",
    "It is easy to live with.",
];
const GENERAL: &[&str] = &[
    "art",
    "artwork",
    "wall art",
    "background",
    "design",
    "illustration",
    "decoration",
    "print",
    "poster",
    "texture",
    "composition",
    "creative",
    "modern",
    "digital art",
    "wallpaper",
    "interior",
    "aesthetic",
    "visual",
    "contemporary",
    "atmosphere",
    "harmony",
    "elegant",
    "colorful",
    "detailed",
    "cover",
    "banner",
    "backdrop",
    "decor",
    "stylish",
    "inspiration",
    "mood",
    "gallery",
    "canvas",
    "artistic",
    "template",
    "graphic",
    "scene",
    "concept",
    "imagination",
    "minimalist",
    "expressive",
    "depth",
    "light",
    "contrast",
    "pattern",
    "surface",
    "editorial",
    "presentation",
];

/// Words for a title that has few bytes.
const SHORT: &[&str] = &["Fine", "Art", "Soft", "Tone", "Calm", "Hue", "Pure", "Form", "Warm", "Day"];

/// How long the texts are to be. Bounds that leave little room may be missed: whoever asked looks at the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    /// The fewest and the most words of a title.
    pub(super) title: (usize, usize),
    /// The most bytes of a title.
    pub(super) title_bytes: usize,
    /// The fewest and the most characters of a description.
    pub(super) description: (usize, usize),
    /// The most bytes of a tag.
    pub(super) tag: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self { title: (8, 12), title_bytes: usize::MAX, description: (150, 250), tag: 64 }
    }
}

/// What is known of the picture.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) prompt: String,
    pub(super) keyword: String,
    pub(super) colors: Vec<String>,
    pub(super) tags: usize,
    pub(super) rules: Rules,
}

impl Facts {
    /// Writes title, description and tags.
    pub(super) fn write(&self, seed: u64) -> Value {
        let mut chance = Random::new(seed);
        json!({
            "title": self.title(&mut chance),
            "description": self.description(&mut chance),
            "tags": self.tags(&mut chance),
        })
    }

    /// The keyword's telling words, else the prompt's, else one that is always true.
    fn subject(&self) -> Vec<String> {
        [&self.keyword, &self.prompt]
            .into_iter()
            .map(|text| telling(text))
            .find(|words| !words.is_empty())
            .unwrap_or_else(|| vec!["abstract".to_owned(), "forms".to_owned()])
    }

    /// The prompt's telling words that the subject does not have.
    fn details(&self) -> Vec<String> {
        let subject = self.subject();
        telling(&self.prompt).into_iter().filter(|word| !subject.contains(word)).collect()
    }

    fn colors(&self) -> Vec<String> {
        let mut colors: Vec<String> = Vec::new();
        for color in &self.colors {
            let color = telling(color).join(" ");
            let short = color.chars().count() <= LONGEST_TAG && color.split(' ').count() <= 3;
            if !color.is_empty() && short && !colors.contains(&color) {
                colors.push(color);
            }
        }
        colors
    }

    fn title(&self, chance: &mut Random) -> String {
        let (fewest, most) = self.rules.title;
        let mut words: Vec<String> = vec![chance.pick(LOOKS).to_owned()];
        words.extend(self.subject().iter().take(5).map(|word| capital(word)));
        words.extend(chance.pick(KINDS).split(' ').map(str::to_owned));
        let quality = chance.pick(QUALITIES);
        let mut tail: Vec<String> = Vec::new();
        let details: Vec<_> = self.details().iter().take(2).map(|word| capital(word)).collect();
        match self.colors().as_slice() {
            [first, second, ..] => tail.push(format!("in {} and {}", capital_each(first), capital_each(second))),
            [only] => tail.push(format!("in {}", capital_each(only))),
            [] => tail.push("of Quiet Beauty".to_owned()),
        }
        match details.as_slice() {
            [first, second, ..] => tail.push(format!("with {first} and {second}")),
            [only] => tail.push(format!("with {only} and {quality}")),
            [] => tail.push(format!("with {quality} and Detail")),
        }
        tail.push("for Walls and Screens".to_owned());
        for part in tail {
            let more = part.split(' ').count();
            if words.len() + more <= most {
                words.extend(part.split(' ').map(str::to_owned));
            }
        }
        for word in [quality, "and", "Lasting", "Detail"].into_iter().chain(QUALITIES.iter().copied().cycle()) {
            if words.len() >= fewest {
                break;
            }
            words.push(word.to_owned());
        }
        words.truncate(most);
        let title = words.join(" ");
        if title.len() <= self.rules.title_bytes { title } else { self.short_title() }
    }

    /// The subject, cut where it must be, and short words up to the fewest.
    fn short_title(&self) -> String {
        let (fewest, most) = self.rules.title;
        let mut subject: Vec<String> = self.subject().iter().take(most).map(|word| capital(word)).collect();
        loop {
            let filling =
                SHORT.iter().cycle().take(fewest.saturating_sub(subject.len())).map(|word| (*word).to_owned());
            let title = subject.iter().cloned().chain(filling).collect::<Vec<_>>().join(" ");
            if title.len() <= self.rules.title_bytes || subject.pop().is_none() {
                return title;
            }
        }
    }

    fn description(&self, chance: &mut Random) -> String {
        let (fewest, most) = self.rules.description;
        let subject = fit(&self.subject(), 60).join(" ");
        let look = chance.pick(LOOKS).to_lowercase();
        let article = if look.starts_with(['a', 'e', 'i', 'o', 'u']) { "An" } else { "A" };
        let mut text = format!("{article} {look} picture of {subject}");
        let colors: Vec<_> = self.colors().into_iter().take(3).collect();
        if !colors.is_empty() {
            add(&mut text, &format!(" in {}", list(&colors)), most.saturating_sub(1));
        }
        let details = fit(&self.details().into_iter().take(4).collect::<Vec<_>>(), 60);
        if !details.is_empty() {
            add(&mut text, &format!(", with {}", list(&details)), most.saturating_sub(1));
        }
        text.push('.');
        add(&mut text, &format!(" {}", chance.pick(PURPOSES)), most);
        let start = chance.below(FILLERS.len());
        let fillers = FILLERS.iter().cycle().skip(start).take(FILLERS.len()).map(|filler| format!(" {filler}"));
        let longer = QUALITIES.iter().map(|quality| format!(" It has {}.", quality.to_lowercase()));
        for filler in fillers.chain(longer) {
            if text.chars().count() < fewest {
                add(&mut text, &filler, most);
            }
        }
        shorten(text, most)
    }

    fn tags(&self, chance: &mut Random) -> Vec<String> {
        let mut tags: Vec<String> = Vec::new();
        let mut put = |tag: String| {
            let fits = !tag.is_empty() && tag.chars().count() <= LONGEST_TAG && tag.len() <= self.rules.tag;
            if tags.len() < self.tags && fits && !tags.contains(&tag) {
                tags.push(tag);
            }
        };
        let subject = self.subject();
        if subject.len() <= 4 {
            put(subject.join(" "));
        }
        subject.iter().cloned().for_each(&mut put);
        self.colors().into_iter().take(4).for_each(&mut put);
        self.details().into_iter().take(8).for_each(&mut put);
        let start = chance.below(GENERAL.len());
        GENERAL.iter().cycle().skip(start).take(GENERAL.len()).for_each(|tag| put((*tag).to_owned()));
        // More tags than words: pairs of what is known.
        let first = subject.first().cloned().unwrap_or_default();
        for tag in GENERAL {
            put(format!("{first} {tag}"));
        }
        for number in 1..=self.tags {
            put(format!("variation {number}"));
        }
        for number in 1..=self.tags {
            put(format!("no {number}"));
        }
        tags
    }
}

/// Takes words as long as they fit into so many characters; at least one.
fn fit(words: &[String], most: usize) -> Vec<String> {
    let mut used = 0;
    words
        .iter()
        .take_while(|word| {
            used += word.chars().count() + 2;
            used <= most
        })
        .cloned()
        .collect()
}

/// Adds a part when the whole stays short enough.
fn add(text: &mut String, part: &str, most: usize) {
    if text.chars().count() + part.chars().count() <= most {
        text.push_str(part);
    }
}

/// Ends a text that is too long after its last whole word.
fn shorten(text: String, most: usize) -> String {
    if text.chars().count() <= most {
        return text;
    }
    let head: String = text.chars().take(most.saturating_sub(1)).collect();
    let head = head.rsplit_once(' ').map_or(head.as_str(), |(words, _)| words);
    format!("{}.", head.trim_end_matches(|c: char| !c.is_alphanumeric()))
}

fn capital_each(text: &str) -> String {
    text.split(' ').map(capital).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn check(facts: &Facts, seed: u64) {
        let answer = facts.write(seed);
        assert_eq!(answer, facts.write(seed));
        let title = answer["title"].as_str().unwrap();
        let words = title.split_whitespace().count();
        assert!((facts.rules.title.0..=facts.rules.title.1).contains(&words), "{words}: {title}");
        assert!(title.len() <= facts.rules.title_bytes, "{title}");
        let description = answer["description"].as_str().unwrap();
        let length = description.chars().count();
        let (fewest, most) = facts.rules.description;
        assert!((fewest..=most).contains(&length), "{length}: {description}");
        let tags: Vec<_> = answer["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap()).collect();
        assert_eq!(tags.len(), facts.tags);
        assert_eq!(tags.iter().collect::<HashSet<_>>().len(), facts.tags, "{tags:?}");
        for tag in tags {
            assert!(!tag.trim().is_empty() && tag == tag.to_lowercase() && tag.len() <= facts.rules.tag, "{tag}");
        }
    }

    fn facts(keyword: &str, prompt: &str, colors: &[&str], tags: usize) -> Facts {
        let colors = colors.iter().map(|color| (*color).to_owned()).collect();
        Facts { prompt: prompt.to_owned(), keyword: keyword.to_owned(), colors, tags, rules: Rules::default() }
    }

    #[test]
    fn odd_inputs_keep_the_rules() {
        let twenty = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen \
                      seventeen eighteen nineteen twenty";
        for seed in 0..50 {
            for keyword in ["fox", "", "京都の紅葉", "Žluťoučký kůň", twenty, &"long".repeat(200), "the of and", "🎨"]
            {
                for prompt in ["", "a calm lake at dawn with reeds", twenty] {
                    for colors in [&[][..], &["teal"], &["teal", "burnt orange", "navy", "teal"]] {
                        check(&facts(keyword, prompt, colors, 15), seed);
                    }
                }
            }
        }
    }

    #[test]
    fn other_rules_are_kept_where_they_leave_room() {
        for seed in 0..50 {
            for rules in [
                Rules { title: (3, 5), description: (40, 80), ..Rules::default() },
                Rules { title: (14, 20), description: (300, 400), ..Rules::default() },
                Rules { title: (1, 1), description: (10, 60), tag: 8, ..Rules::default() },
                Rules { title_bytes: 64, ..Rules::default() },
            ] {
                for keyword in ["fox", "京都の紅葉", "🎨"] {
                    check(&Facts { rules, ..facts(keyword, "a calm lake at dawn with reeds", &["teal"], 15) }, seed);
                }
            }
        }
    }

    #[test]
    fn the_words_come_from_the_picture() {
        let answer = facts("red fox", "a red fox asleep under birches", &["burnt orange", "cream"], 15).write(4);
        let text = answer.to_string().to_lowercase();
        for word in ["red fox", "birches", "burnt orange", "cream"] {
            assert!(text.contains(word), "{word}: {text}");
        }
    }

    proptest! {
        #[test]
        fn any_input_keeps_the_rules(
            keyword in ".{0,80}", prompt in ".{0,200}", colors in prop::collection::vec("[a-zA-Z é]{0,30}", 0..6),
            tags in 0_usize..160, seed: u64,
        ) {
            check(&Facts { prompt, keyword, colors, tags, rules: Rules::default() }, seed);
        }
    }
}
