"""The ASGI application.

``startproject`` writes ``os.environ.setdefault``: a variable that was exported for another project
would decide for this one.
"""

import os

from django.core.asgi import get_asgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = f"{__package__}.async_settings"
application = get_asgi_application()
