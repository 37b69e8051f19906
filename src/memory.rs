//! Unsafe code: a call into the allocator that the crate around it does not offer.
//!
//! Which allocator, and how what it holds goes back to the system.

/// Small objects of one size class come and go with every message; musl's own allocator is two
/// to four times slower at that than this one.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Gives memory that nobody uses back to the system. For once after something large: the
/// allocator does it by itself only while it is busy, and an idle gateway is not.
pub(crate) fn give_back() {
    #[cfg(target_env = "musl")]
    {
        unsafe extern "C" {
            fn mi_collect(force: bool);
        }
        // SAFETY: the allocator above is linked in and this function of it may be called from any
        // thread at any time; it takes no pointer and touches no memory that is in use.
        unsafe { mi_collect(true) }
    }
}
