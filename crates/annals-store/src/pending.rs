//! An answer that comes when the writer has committed.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

/// An answer that comes later: await it in async code, or [`Pending::wait`] for it in a thread.
///
/// Dropping it does not take anything back.
#[derive(Debug)]
#[must_use = "nothing is known about the outcome until this is awaited"]
pub struct Pending<T, E> {
    state: State<T, E>,
    stopped: fn() -> E,
}

#[derive(Debug)]
enum State<T, E> {
    Ready(Option<Result<T, E>>),
    Waiting(oneshot::Receiver<Result<T, E>>),
}

impl<T, E> Pending<T, E> {
    /// An answer that is known at once.
    pub(crate) fn ready(result: Result<T, E>, stopped: fn() -> E) -> Pending<T, E> {
        Pending { state: State::Ready(Some(result)), stopped }
    }

    /// An answer that arrives by `receiver`; `stopped` is the error if nobody is left to send it.
    pub(crate) fn waiting(
        receiver: oneshot::Receiver<Result<T, E>>,
        stopped: fn() -> E,
    ) -> Pending<T, E> {
        Pending { state: State::Waiting(receiver), stopped }
    }

    /// Blocks this thread until the answer is there. Not for async code, which awaits instead.
    ///
    /// # Errors
    /// The error of the operation.
    pub fn wait(self) -> Result<T, E> {
        match self.state {
            State::Ready(result) => result.unwrap_or_else(|| Err((self.stopped)())),
            State::Waiting(receiver) => {
                receiver.blocking_recv().unwrap_or_else(|_| Err((self.stopped)()))
            }
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
        }
    }
}
