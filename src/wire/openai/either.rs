//! Fields of a request that come in more than one shape.

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer};

use super::{ContentPart, ImageUrl, MessageContent, OneOrMany};
use crate::wire::{Lenient, Text};

/// Clients whose language has one kind of number write `100.0`.
pub(crate) fn whole_number<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<i64>, D::Error> {
    let Some(number) = Option::<serde_json::Number>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let whole = number
        .as_f64()
        .filter(|number| number.fract() == 0.0)
        .map(|number| number as i64);
    match number.as_i64().or(whole) {
        Some(number) => Ok(Some(number)),
        None => {
            let given = de::Unexpected::Float(number.as_f64().unwrap_or_default());
            Err(de::Error::invalid_type(given, &"an integer"))
        }
    }
}

/// The same, where Gemini's has 32 bits: what is beyond them is the most there is.
pub(super) fn small_whole_number<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<i32>, D::Error> {
    let number = whole_number(deserializer)?;
    let limits = i64::from(i32::MIN)..=i64::from(i32::MAX);
    Ok(number.map(|number| number.clamp(*limits.start(), *limits.end()) as i32))
}

impl<'de: 'a, 'a> Deserialize<'de> for MessageContent<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StringOrParts;

        impl<'de> Visitor<'de> for StringOrParts {
            type Value = MessageContent<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string or an array of content parts")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(MessageContent::Text(text.into()))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(MessageContent::Text(text.to_owned().into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Self::Value, A::Error> {
                let mut all = Vec::new();
                while let Some(PartOrString(part)) = parts.next_element()? {
                    all.push(part);
                }
                Ok(MessageContent::Parts(all))
            }
        }

        deserializer.deserialize_any(StringOrParts)
    }
}

/// Some clients put bare strings among the parts.
struct PartOrString<'a>(ContentPart<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for PartOrString<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = PartOrString<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a content part")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                let text = Some(text.to_owned().into());
                Ok(PartOrString(ContentPart {
                    kind: Some("text".into()),
                    text,
                    ..ContentPart::default()
                }))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                ContentPart::deserialize(MapAccessDeserializer::new(map)).map(PartOrString)
            }
        }

        deserializer.deserialize_any(Either)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for ImageUrl<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Object<'a> {
            #[serde(borrow)]
            url: Text<'a>,
            #[serde(default, borrow)]
            detail: Lenient<Text<'a>>,
        }

        struct StringOrObject;

        impl<'de> Visitor<'de> for StringOrObject {
            type Value = ImageUrl<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object with a url, or a string")
            }

            fn visit_borrowed_str<E: de::Error>(self, url: &'de str) -> Result<Self::Value, E> {
                let (url, detail) = (url.into(), Lenient::default());
                Ok(ImageUrl { url, detail })
            }

            fn visit_str<E: de::Error>(self, url: &str) -> Result<Self::Value, E> {
                let (url, detail) = (url.to_owned().into(), Lenient::default());
                Ok(ImageUrl { url, detail })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let Object { url, detail } = Object::deserialize(MapAccessDeserializer::new(map))?;
                Ok(ImageUrl { url, detail })
            }
        }

        deserializer.deserialize_any(StringOrObject)
    }
}

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StringOrList;

        impl<'de> Visitor<'de> for StringOrList {
            type Value = OneOrMany;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string or an array of strings")
            }

            fn visit_str<E: de::Error>(self, one: &str) -> Result<OneOrMany, E> {
                Ok(OneOrMany(vec![one.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<OneOrMany, A::Error> {
                let mut all = Vec::new();
                while let Some(one) = list.next_element()? {
                    all.push(one);
                }
                Ok(OneOrMany(all))
            }
        }

        deserializer.deserialize_any(StringOrList)
    }
}
