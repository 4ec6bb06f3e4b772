"""The WSGI application.

``startproject`` writes ``os.environ.setdefault``: a variable that was exported for another project
would decide for this one.
"""

import os

from django.core.wsgi import get_wsgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = f"{__package__}.settings"
application = get_wsgi_application()
