//! What is an object is read from an object alone: serde's own structs take an
//! array, too, its elements for their fields in order, which no client means.

/// Lets types that are read `#[serde(remote = "…")]`, under their own names, be read
/// from JSON objects, and from nothing else.
macro_rules! read_from_objects {
    ($($name:ident $(<$borrowed:lifetime>)?),+ $(,)?) => {$(
        impl<'de $(: $borrowed, $borrowed)?> serde::Deserialize<'de> for $name $(<$borrowed>)? {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Fields;

                impl<'de> serde::de::Visitor<'de> for Fields {
                    type Value = $crate::wire::object::read_from_objects!(@value $name $($borrowed)?);

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(
                        self,
                        fields: A,
                    ) -> Result<Self::Value, A::Error> {
                        let fields = serde::de::value::MapAccessDeserializer::new(fields);
                        // serde's, which stands before the trait's.
                        $name::deserialize(fields)
                    }
                }

                deserializer.deserialize_map(Fields)
            }
        }
    )+};
    (@value $name:ident $borrowed:lifetime) => { $name<'de> };
    (@value $name:ident) => { $name };
}

/// For those of them that are written, too: as serde would.
macro_rules! written_as_well {
    ($($name:ident $(<$borrowed:lifetime>)?),+ $(,)?) => {$(
        impl $(<$borrowed>)? serde::Serialize for $name $(<$borrowed>)? {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                // serde's, which stands before the trait's.
                $name::serialize(self, serializer)
            }
        }
    )+};
}

pub(crate) use {read_from_objects, written_as_well};
