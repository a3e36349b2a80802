//! A list as a query asks for it.

use super::condition;
use super::order::{Ordered, ordered};
use crate::catalogue::{ItemId, Kind};
use crate::plex::call::{Call, No};
use crate::plex::params::{Page, Params};
use crate::plex::reply::Window;

/// The items a query asks for, in its order.
pub(in crate::plex) struct Selection {
    rows: Rows,
    limit: Option<usize>,
}

enum Rows {
    Whole(Ordered),
    Some(Vec<ItemId>),
}

/// The items of a kind that `params` ask for.
pub(in crate::plex) fn select(call: &Call<'_>, listed: Kind, params: &Params<'_>) -> Result<Selection, No> {
    let all = ordered(call, listed, params.get("sort"));
    let rows = match condition::of(call, params)? {
        None => Rows::Whole(all),
        Some(condition) => {
            let only_touched = condition.asks_for_touched(call);
            let can_fit = |id: &ItemId| !only_touched || call.view.is_touched(*id);
            Rows::Some(all.iter().filter(can_fit).filter(|id| condition.met(call, *id, listed)).collect())
        }
    };
    Ok(Selection { rows, limit: params.number("limit") })
}

impl Selection {
    /// These items as they are.
    pub(in crate::plex) fn of(ids: Vec<ItemId>) -> Self {
        Self { rows: Rows::Some(ids), limit: None }
    }

    /// How many there are.
    pub(in crate::plex) fn len(&self) -> usize {
        let all = match &self.rows {
            Rows::Whole(ordered) => ordered.len(),
            Rows::Some(ids) => ids.len(),
        };
        self.limit.map_or(all, |limit| all.min(limit))
    }

    /// Those on a page.
    pub(in crate::plex) fn page(&self, page: Page) -> (Vec<ItemId>, Option<Window>) {
        let total = self.len();
        let size = page.size.unwrap_or(total).min(total.saturating_sub(page.start));
        let ids = match &self.rows {
            Rows::Whole(ordered) => ordered.iter().take(total).skip(page.start).take(size).collect(),
            Rows::Some(ids) => ids.iter().copied().take(total).skip(page.start).take(size).collect(),
        };
        (ids, page.asked.then_some(Window { start: page.start, total }))
    }

    /// All of them.
    pub(in crate::plex) fn all(&self) -> Vec<ItemId> {
        self.page(Page::default()).0
    }
}
