//! The port of the template writer: reads the request, writes, checks the answer.

use async_trait::async_trait;
use pipeline_core::error::{Error, ErrorKind, Result};
use pipeline_core::model::Capability;
use pipeline_core::provider::{ProviderInfo, TextModel, TextRequest, TextResponse, TextTask, Usage};
use serde_json::{Map, Value, json};

use super::metadata::{Facts, Rules};
use super::prompt;

/// How many tags are written when the request does not say.
const TAGS: u64 = 15;
/// The most tags that may be asked for.
const MOST_TAGS: u64 = 200;
/// The greatest bound that a rule may name.
const MOST_BOUND: u64 = 10_000;

/// Writes image prompts, titles, descriptions and tags from the words at hand: free, offline, the same for a seed.
#[derive(Clone, Debug)]
pub struct TemplateText {
    info: ProviderInfo,
}

impl TemplateText {
    /// Makes the writer.
    pub fn new() -> Self {
        let summary = "Writes image prompts and picture metadata from keywords and templates: free, offline.";
        Self { info: ProviderInfo::local("template", Capability::Text, summary) }
    }
}

impl Default for TemplateText {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl TextModel for TemplateText {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    async fn write(&self, request: TextRequest) -> Result<TextResponse> {
        let answer = match request.task {
            TextTask::ImagePrompt => {
                let keyword = text(&request.input, "keyword")?;
                if keyword.trim().is_empty() && request.instructions.trim().is_empty() {
                    return Err(Error::invalid("neither instructions nor a keyword to write from"));
                }
                json!({ "prompt": prompt::write(&keyword, &request.instructions, request.seed) })
            }
            TextTask::ImageMetadata => facts(&request.input)?.write(request.seed),
            task => {
                return Err(Error::new(ErrorKind::Unsupported, "template writer has no way to do the task")
                    .with("field", "task")
                    .with("value", json!(task))
                    .with("accepted", "image_prompt, image_metadata"));
            }
        };
        if let Some(schema) = &request.schema {
            complete(&answer, schema)?;
        }
        Ok(TextResponse { answer, usage: Usage::default() })
    }
}

/// Reads the facts of a picture.
fn facts(input: &Map<String, Value>) -> Result<Facts> {
    let colors = match input.get("colors") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(colors)) => colors
            .iter()
            .map(|color| color.as_str().map(str::to_owned).ok_or_else(|| wrong("colors", "an array of names")))
            .collect::<Result<_>>()?,
        Some(_) => return Err(wrong("colors", "an array of names")),
    };
    let accepted = "a whole number from 0 to 200";
    let tags = match input.get("tags") {
        None | Some(Value::Null) => TAGS,
        Some(value) => value.as_u64().filter(|tags| *tags <= MOST_TAGS).ok_or_else(|| wrong("tags", accepted))?,
    };
    let rules = Rules::default();
    let rules = Rules {
        title: bounds(input, "title_words", rules.title)?,
        title_bytes: most(input, "title_bytes", rules.title_bytes)?,
        description: bounds(input, "description_characters", rules.description)?,
        tag: most(input, "tag_bytes", rules.tag)?,
    };
    let (prompt, keyword) = (text(input, "prompt")?, text(input, "keyword")?);
    Ok(Facts { prompt, keyword, colors, tags: tags as usize, rules })
}

/// Reads two bounds, each of which may be absent; `usual` says what is written then.
fn bounds(input: &Map<String, Value>, name: &'static str, usual: (usize, usize)) -> Result<(usize, usize)> {
    let (least, most) = match input.get(name) {
        None | Some(Value::Null) => return Ok(usual),
        Some(Value::Array(pair)) => match pair.as_slice() {
            [least, most] if [least, most].iter().all(|bound| bound.is_null() || number(bound).is_some()) => {
                (number(least), number(most))
            }
            _ => return Err(wrong(name, "two whole numbers up to 10000, or null for either")),
        },
        Some(_) => return Err(wrong(name, "two whole numbers up to 10000, or null for either")),
    };
    let least = least.unwrap_or(usual.0.min(most.unwrap_or(usual.0)));
    Ok((least, most.unwrap_or(usual.1.max(least))))
}

/// Reads a bound that may be absent.
fn most(input: &Map<String, Value>, name: &'static str, usual: usize) -> Result<usize> {
    match input.get(name) {
        None | Some(Value::Null) => Ok(usual),
        Some(value) => number(value).ok_or_else(|| wrong(name, "a whole number up to 10000, or null")),
    }
}

fn number(value: &Value) -> Option<usize> {
    value.as_u64().filter(|number| *number <= MOST_BOUND).and_then(|number| usize::try_from(number).ok())
}

/// Reads a text; absent is empty, a number of a table is its digits.
fn text(input: &Map<String, Value>, name: &'static str) -> Result<String> {
    match input.get(name) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        Some(_) => Err(wrong(name, "a text")),
    }
}

fn wrong(field: &'static str, accepted: &'static str) -> Error {
    Error::invalid("input of the text is not what it should be").with("field", field).with("accepted", accepted)
}

/// Checks that the answer has what the schema requires.
fn complete(answer: &Value, schema: &Value) -> Result<()> {
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let missing: Vec<_> = required.filter(|name| answer.get(name).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::corrupt("answer does not fit the schema").with("missing", missing.join(", ")))
}

#[cfg(test)]
mod tests {
    use pipeline_core::id::CallId;
    use pipeline_core::provider::CallContext;

    use super::*;

    fn request(task: TextTask, instructions: &str, input: &Value, schema: Option<Value>, seed: u64) -> TextRequest {
        let idempotency_key = "0198c1a2-7c3e-7000-8000-000000000000".parse::<CallId>().unwrap();
        TextRequest {
            task,
            instructions: instructions.to_owned(),
            input: input.as_object().cloned().unwrap(),
            schema,
            seed,
            context: CallContext::new(idempotency_key),
        }
    }

    async fn answer(request: TextRequest) -> Result<Value> {
        TemplateText::default().write(request).await.map(|response| response.answer)
    }

    #[tokio::test]
    async fn rendered_instructions_are_the_prompt() {
        let asked = request(TextTask::ImagePrompt, " A fox,\n asleep ", &json!({ "keyword": "fox" }), None, 1);
        assert_eq!(answer(asked).await.unwrap(), json!({ "prompt": "A fox, asleep" }));
    }

    #[tokio::test]
    async fn without_instructions_the_seed_varies_a_sentence_about_the_keyword() {
        let ask = |seed| answer(request(TextTask::ImagePrompt, "", &json!({ "keyword": "red fox" }), None, seed));
        let one = ask(1).await.unwrap();
        assert!(one["prompt"].as_str().unwrap().contains("red fox"));
        assert_eq!(one, ask(1).await.unwrap());
        assert_ne!(one, ask(2).await.unwrap());
        let nothing = answer(request(TextTask::ImagePrompt, " ", &json!({}), None, 1)).await.unwrap_err();
        assert_eq!(nothing.kind(), ErrorKind::Invalid);
    }

    #[tokio::test]
    async fn metadata_has_fifteen_tags_unless_another_number_is_asked_for() {
        let ask = |input| answer(request(TextTask::ImageMetadata, "", &input, None, 1));
        let tags = |answer: Value| answer["tags"].as_array().unwrap().len();
        assert_eq!(tags(ask(json!({ "keyword": "fox" })).await.unwrap()), 15);
        assert_eq!(tags(ask(json!({ "keyword": "fox", "tags": 49, "colors": ["teal"] })).await.unwrap()), 49);
        for bad in [
            json!({ "tags": -1 }),
            json!({ "tags": 1000 }),
            json!({ "colors": "teal" }),
            json!({ "prompt": [] }),
            json!({ "title_words": 5 }),
            json!({ "description_characters": [1, -1] }),
            json!({ "tag_bytes": "x" }),
        ] {
            assert_eq!(ask(bad).await.unwrap_err().kind(), ErrorKind::Invalid);
        }
    }

    #[tokio::test]
    async fn the_rules_of_the_request_are_followed_and_absent_ones_are_the_usual() {
        let ask = |input| answer(request(TextTask::ImageMetadata, "", &input, None, 1));
        let words = |answer: &Value| answer["title"].as_str().unwrap().split(' ').count();
        let short = json!({"keyword": "fox", "title_words": [3, 4], "description_characters": [null, 60]});
        let short = ask(short).await.unwrap();
        assert!((3..=4).contains(&words(&short)), "{short}");
        assert!(short["description"].as_str().unwrap().chars().count() <= 60, "{short}");
        let open = ask(json!({"keyword": "fox", "title_words": [null, null], "tag_bytes": null})).await.unwrap();
        assert_eq!(open, ask(json!({"keyword": "fox"})).await.unwrap());
        assert!(words(&ask(json!({"keyword": "fox", "title_words": [20, null]})).await.unwrap()) >= 20);
    }

    #[tokio::test]
    async fn an_answer_that_lacks_what_the_schema_requires_is_corrupt() {
        let ask = |names: Value| {
            let schema = json!({ "type": "object", "required": names });
            answer(request(TextTask::ImageMetadata, "", &json!({ "keyword": "fox" }), Some(schema), 1))
        };
        assert!(ask(json!(["title", "tags"])).await.is_ok());
        let error = ask(json!(["title", "price"])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert_eq!(error.context(), [("missing", "price".to_owned())]);
    }

    #[tokio::test]
    async fn a_free_task_is_refused_with_what_is_accepted() {
        let error = answer(request(TextTask::Free, "Write a poem", &json!({}), None, 1)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("image_prompt, image_metadata"), "{error}");
    }
}
