//! The pictures that results carried, for clients that ask for them again.
//!
//! A picture travels with its result, as an embedded resource for people. Clients that show
//! resources read it by its address as well, as long as it is among the last ones: none is kept for
//! ever, since the same call draws the same picture again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::ErrorData;
use rmcp::model::{
    Annotations, CacheScope, ContentBlock, EmbeddedResource, ListResourcesResult,
    ReadResourceResult, Resource, ResourceContents, Role,
};
use serde_json::json;
use wire::Plot;
use wire::plot::MIME_TYPE;

/// How many pictures are kept: two megabytes at the most.
const KEPT_MAX: usize = 32;

/// How long a client may keep what was read. The address follows from the content.
const TTL_MS: u64 = 3_600_000;

/// The last pictures, the newest last; a clone is the same ones.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plots(Arc<Mutex<VecDeque<Plot>>>);

// === impl Plots ===

impl Plots {
    /// A picture as it stands beside a result; it can be read again.
    pub(crate) fn embed(&self, plot: Plot) -> ContentBlock {
        let resource = EmbeddedResource::new(contents(&plot));
        let block = ContentBlock::Resource(resource.with_annotations(for_people()));
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|of| of.uri != plot.uri);
        kept.push_back(plot);
        if kept.len() > KEPT_MAX {
            kept.pop_front();
        }
        block
    }

    pub(crate) fn list(&self) -> ListResourcesResult {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let resources = kept.iter().rev().map(|plot| {
            let resource = Resource::new(&plot.uri, &plot.title).with_mime_type(MIME_TYPE);
            let size = u64::try_from(plot.bytes).unwrap_or(u64::MAX);
            resource.with_size(size).with_annotations(for_people())
        });
        ListResourcesResult::with_all_items(resources.collect())
            .with_ttl_ms(0)
            .with_cache_scope(CacheScope::Private)
    }

    pub(crate) fn read(&self, uri: &str) -> Result<ReadResourceResult, ErrorData> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let plot = kept.iter().find(|plot| plot.uri == uri);
        let plot = plot.ok_or_else(|| {
            let message = format!("there is no resource {uri:?} any more: make the call again");
            ErrorData::resource_not_found(message, Some(json!({ "uri": uri })))
        })?;
        Ok(ReadResourceResult::new(vec![contents(plot)])
            .with_ttl_ms(TTL_MS)
            .with_cache_scope(CacheScope::Private))
    }
}

fn contents(plot: &Plot) -> ResourceContents {
    ResourceContents::text(plot.svg.clone().unwrap_or_default(), &plot.uri)
        .with_mime_type(MIME_TYPE)
}

/// A model has the numbers; the picture of them is for whoever reads along.
fn for_people() -> Annotations {
    Annotations::default().with_audience(vec![Role::User])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(number: usize) -> Plot {
        let svg = format!("<svg>{number}</svg>");
        Plot {
            title: format!("Picture {number}"),
            uri: format!("bot4://plots/{number}.svg"),
            mime_type: MIME_TYPE.to_owned(),
            bytes: svg.len(),
            svg: Some(svg),
        }
    }

    #[test]
    fn a_picture_is_embedded_for_people_and_read_again_by_its_address() {
        let plots = Plots::default();
        let block = json!(plots.embed(plot(7)));
        assert_eq!(
            block,
            json!({
                "type": "resource", "annotations": {"audience": ["user"]},
                "resource": {"uri": "bot4://plots/7.svg", "mimeType": "image/svg+xml",
                             "text": "<svg>7</svg>"},
            })
        );
        let read = json!(plots.read("bot4://plots/7.svg").unwrap());
        assert_eq!(read["contents"][0], block["resource"]);
        let listed = json!(plots.list());
        assert_eq!(listed["resources"][0]["name"], "Picture 7");
    }

    #[test]
    fn only_the_last_are_kept_each_once() {
        let plots = Plots::default();
        for number in (0..KEPT_MAX + 2).chain([5]) {
            plots.embed(plot(number));
        }
        let listed = json!(plots.list());
        let uris: Vec<&str> = listed["resources"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|r| r["uri"].as_str())
            .collect();
        assert_eq!(uris.len(), KEPT_MAX);
        assert_eq!(uris[..2], ["bot4://plots/5.svg", "bot4://plots/33.svg"]);
        let gone = plots.read("bot4://plots/0.svg").unwrap_err();
        assert!(gone.message.contains("there is no resource"), "{gone:?}");
    }
}
