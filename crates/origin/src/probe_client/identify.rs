//! Which server answers at an address, by as many questions as it takes.

use greenroom_dialect::ask::Kind;
use greenroom_dialect::login::question;
use greenroom_dialect::server_identity::{Answer, Inquiry, ServerIdentity, inquire, recognise};

use super::{Enquirer, Heard, Place, Silence};

impl Heard {
    /// The server that gave this answer to the identity path of any kind.
    pub fn server_identity(&self, expected: Kind) -> ServerIdentity {
        recognise(expected, &Answer { status: self.status, headers: &self.headers, body: &self.body })
    }
}

impl Enquirer {
    /// Which server answers at `place`.
    ///
    /// # Errors
    /// If the first question is not answered.
    pub async fn identify(&self, expected: Kind, place: &Place) -> Result<ServerIdentity, Silence> {
        let first = self.ask(place, question(expected, expected.identity_path(), None)).await?;
        Ok(self.identify_after(expected, place, &first).await)
    }

    /// The same, with the answer to the first question at hand.
    pub async fn identify_after(&self, expected: Kind, place: &Place, first: &Heard) -> ServerIdentity {
        let mut heard = vec![first.server_identity(expected)];
        loop {
            match inquire(expected, &heard) {
                Inquiry::Known(identity) => return identity,
                Inquiry::Ask(path) => match self.ask(place, question(expected, path, None)).await {
                    Ok(answer) => heard.push(answer.server_identity(expected)),
                    // A server that answers only some of the questions is judged by the first.
                    Err(_) => return heard.swap_remove(0),
                },
            }
        }
    }
}
