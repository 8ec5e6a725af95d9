//! Small pictures, drawn with the colour of the text around them. They say nothing that words beside them do not.

use leptos::prelude::*;

/// Which picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Icon {
    Close,
    Theme,
    Play,
    Pause,
    Next,
    Previous,
    First,
    Last,
    NextTurn,
    PreviousTurn,
    Letter,
    Find,
    Save,
    Keyboard,
    Devices,
    Question,
    Fault,
    Share,
    Undo,
    Menu,
    Open,
    Add,
    Terminal,
}

impl Icon {
    fn path(self) -> &'static str {
        match self {
            Self::Close => "M5 5l14 14M19 5L5 19",
            Self::Theme => "M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18",
            Self::Play => "M7 4.5v15l12-7.5z",
            Self::Pause => "M8 5v14M16 5v14",
            Self::Next => "M6 5l9 7-9 7zM18 5v14",
            Self::Previous => "M18 5l-9 7 9 7zM6 5v14",
            Self::NextTurn => "M4 6l7 6-7 6zM13 6l7 6-7 6z",
            Self::PreviousTurn => "M20 6l-7 6 7 6zM11 6l-7 6 7 6z",
            Self::First => "M12 6l-6 6 6 6M19 6l-6 6 6 6",
            Self::Last => "M12 6l6 6-6 6M5 6l6 6-6 6",
            Self::Find => {
                "M10.500 4a6.500 6.500 0 1 0 0 13a6.500 6.500 0 0 0 0-13M15.500 15.500L20.500 20.500"
            }
            Self::Save => "M12 3v12M8 11l4 4 4-4M4 17v4h16v-4",
            Self::Letter => "M3 6h18v13H3zM3 7l9 7 9-7",
            Self::Keyboard => "M2.5 6.5h19v11h-19zM6 10h.01M10 10h.01M14 10h.01M18 10h.01M8 14h8",
            Self::Devices => "M3 5h12v9H3zM1.5 18h12M17 9h5v10h-5z",
            Self::Question => "M9 9a3 3 0 1 1 4 2.8c-.8.4-1 1-1 2.2M12 17.5v.01",
            Self::Fault => "M13 2L5 13h6l-1 9 9-12h-6z",
            Self::Share => "M12 15V3M8 7l4-4 4 4M5 12v8h14v-8",
            Self::Menu => "M4 7h16M4 12h16M4 17h16",
            Self::Terminal => "M3 5h18v14H3zM7 9l3 3-3 3M13 15h4",
            Self::Open => "M3 6h6l2 3h10v10H3z",
            Self::Add => "M12 5v14M5 12h14",
            Self::Undo => "M4 10h10a5 5 0 0 1 0 10h-3M4 10l4-4M4 10l4 4",
        }
    }
}

/// The picture.
pub(crate) fn icon(icon: Icon) -> AnyView {
    let fill = if matches!(icon, Icon::Play) { "currentColor" } else { "none" };
    view! {
        <svg
            viewBox="0 0 24 24"
            fill=fill
            stroke="currentColor"
            stroke-width="1.75"
            stroke-linecap="round"
            stroke-linejoin="round"
            aria-hidden="true"
            focusable="false"
        >
            <path d=icon.path() />
        </svg>
    }
    .into_any()
}
