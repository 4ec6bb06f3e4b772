"""The h2 library, told what we leave to it and what not.

To it we leave the states of the connection and of its streams, the windows, the settings, and the
order of frames (RFC 9113 §5, §6).  Its own judgement of fields is switched off: ``http2_fields``
judges (see ``http2_hpack`` for the reason).
"""

from __future__ import annotations

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.settings import SettingCodes, Settings

from .events import Limits
from .http2_events import PREFACE, Http2Limits
from .http2_hpack import RememberingDecoder, RememberingEncoder

NO_LIMIT = (1 << 31) - 1


class Library(H2Connection):
    """One connection of h2's, as the server, with its own settings sent."""

    MAX_CLOSED_STREAMS = 1000  # remembered; h2 would take 64 times as much of our memory

    def __init__(self, limits: Limits, http2: Http2Limits) -> None:
        super().__init__(
            H2Configuration(
                client_side=False,
                header_encoding=None,
                validate_inbound_headers=False,
                normalize_inbound_headers=False,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self.encoder = RememberingEncoder()
        self.decoder = RememberingDecoder(2 * limits.head)
        settings = {
            SettingCodes.MAX_CONCURRENT_STREAMS: http2.streams,
            SettingCodes.INITIAL_WINDOW_SIZE: http2.stream_window,
            SettingCodes.MAX_HEADER_LIST_SIZE: limits.head,
            SettingCodes.ENABLE_CONNECT_PROTOCOL: 1,  # RFC 8441 §3
        }
        self.local_settings = Settings(client=False, initial_values=settings)
        self.initiate_connection()
        # One stream too many is refused (RFC 9113 §5.1.2); h2 would end the connection for it.
        settings[SettingCodes.MAX_CONCURRENT_STREAMS] = NO_LIMIT
        self.local_settings = Settings(client=False, initial_values=settings)
        if (more := http2.connection_window - self.inbound_flow_control_window) > 0:
            self.increment_flow_control_window(more)
        self.receive_data(PREFACE)  # the frame reader keeps the client's
