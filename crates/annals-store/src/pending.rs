//! An answer that comes when the writer has committed.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use crate::submission::Answer;

/// An answer that comes later: await it in async code, or [`Pending::wait`] for it in a thread.
///
/// Dropping it does not take anything back.
#[must_use = "nothing is known about the outcome until this is awaited"]
pub struct Pending<T, E> {
    state: State<T, E>,
    stopped: fn() -> E,
}

enum State<T, E> {
    Ready(Option<Result<T, E>>),
    Waiting(oneshot::Receiver<Result<T, E>>),
    Answering(oneshot::Receiver<Result<Answer, E>>, Tell<T, E>),
}

/// The rest of the way from what is known to what is told.
type Tell<T, E> = fn(Answer) -> Result<T, E>;

impl<T, E> Pending<T, E> {
    /// An answer that is known at once.
    pub(crate) fn ready(result: Result<T, E>, stopped: fn() -> E) -> Pending<T, E> {
        Pending {
            state: State::Ready(Some(result)),
            stopped,
        }
    }

    /// An answer that arrives by `receiver`; `stopped` is the error if nobody is left to send it.
    pub(crate) fn waiting(
        receiver: oneshot::Receiver<Result<T, E>>,
        stopped: fn() -> E,
    ) -> Pending<T, E> {
        Pending {
            state: State::Waiting(receiver),
            stopped,
        }
    }

    /// As [`Pending::waiting`], for what became of an append.
    pub(crate) fn answering(
        receiver: oneshot::Receiver<Result<Answer, E>>,
        tell: Tell<T, E>,
        stopped: fn() -> E,
    ) -> Pending<T, E> {
        Pending {
            state: State::Answering(receiver, tell),
            stopped,
        }
    }

    /// Blocks this thread until the answer is there. Not for async code, which awaits instead.
    ///
    /// # Errors
    /// The error of the operation.
    pub fn wait(self) -> Result<T, E> {
        match self.state {
            State::Ready(result) => result.unwrap_or_else(|| Err((self.stopped)())),
            State::Waiting(receiver) => receiver
                .blocking_recv()
                .unwrap_or_else(|_| Err((self.stopped)())),
            State::Answering(receiver, tell) => match receiver.blocking_recv() {
                Ok(received) => received.and_then(tell),
                Err(_) => Err((self.stopped)()),
            },
        }
    }
}

impl<T: Unpin, E: Unpin> Future for Pending<T, E> {
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        match &mut this.state {
            State::Ready(result) => {
                Poll::Ready(result.take().unwrap_or_else(|| Err((this.stopped)())))
            }
            State::Waiting(receiver) => Pin::new(receiver)
                .poll(context)
                .map(|received| received.unwrap_or_else(|_| Err((this.stopped)()))),
            State::Answering(receiver, tell) => {
                Pin::new(receiver)
                    .poll(context)
                    .map(|received| match received {
                        Ok(received) => received.and_then(*tell),
                        Err(_) => Err((this.stopped)()),
                    })
            }
        }
    }
}

impl<T, E> fmt::Debug for Pending<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pending(..)")
    }
}
