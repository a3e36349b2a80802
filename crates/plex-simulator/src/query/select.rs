//! Selection of a list by a query.

use super::condition;
use super::order::{SortedList, ordered};
use crate::params::{PageRequest, PlexParams};
use crate::request::{PlexError, PlexReadRequest};
use crate::response::RowWindow;
use greenroom_simulator_backend::catalogue::{ItemId, MediaKind};

/// Items selected by a query, in its order.
pub(crate) struct ItemSelection {
    rows: SelectedRows,
    limit: Option<usize>,
}

enum SelectedRows {
    Whole(SortedList),
    Some(Vec<ItemId>),
}

/// Items of a kind that match `params`.
pub(crate) fn select(
    call: &PlexReadRequest<'_>,
    listed: MediaKind,
    params: &PlexParams<'_>,
) -> Result<ItemSelection, PlexError> {
    let all = ordered(call, listed, params.get("sort"));
    let rows = match condition::parse(call, params)? {
        None => SelectedRows::Whole(all),
        Some(condition) => {
            let only_touched = condition.asks_for_touched(call);
            let can_fit = |id: &ItemId| !only_touched || call.view.is_touched(*id);
            SelectedRows::Some(all.iter().filter(can_fit).filter(|id| condition.matches(call, *id, listed)).collect())
        }
    };
    Ok(ItemSelection { rows, limit: params.number("limit") })
}

impl ItemSelection {
    /// These items, unfiltered.
    pub(crate) fn from_ids(ids: Vec<ItemId>) -> Self {
        Self { rows: SelectedRows::Some(ids), limit: None }
    }

    /// Number of items.
    pub(crate) fn len(&self) -> usize {
        let all = match &self.rows {
            SelectedRows::Whole(ordered) => ordered.len(),
            SelectedRows::Some(ids) => ids.len(),
        };
        self.limit.map_or(all, |limit| all.min(limit))
    }

    /// Items of a page.
    pub(crate) fn page(&self, page: PageRequest) -> (Vec<ItemId>, Option<RowWindow>) {
        let total = self.len();
        let size = page.size.unwrap_or(total).min(total.saturating_sub(page.start));
        let ids = match &self.rows {
            SelectedRows::Whole(ordered) => ordered.iter().take(total).skip(page.start).take(size).collect(),
            SelectedRows::Some(ids) => ids.iter().copied().take(total).skip(page.start).take(size).collect(),
        };
        (ids, page.asked.then_some(RowWindow { start: page.start, total }))
    }

    /// All items.
    pub(crate) fn all(&self) -> Vec<ItemId> {
        self.page(PageRequest::default()).0
    }
}
