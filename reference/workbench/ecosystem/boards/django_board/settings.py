"""The settings: a database, one application, no more than the board needs."""

from ..common import folder

SECRET_KEY = "not a secret: the board signs nothing"
ALLOWED_HOSTS = ["*"]  # it listens on this machine alone
ROOT_URLCONF = f"{__package__}.views"
INSTALLED_APPS = [__package__]
# The board has no sessions and no cookies, so no site can post in another one's name by them: it
# needs no CSRF token.
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True

# A project makes its tables by ``manage.py migrate`` before the server starts.  The board has no
# such moment: each connection makes the one table where there is none, under sqlite's own lock, so
# several workers may start at once.
TABLE = """CREATE TABLE IF NOT EXISTS django_board_post (
    number INTEGER PRIMARY KEY, author VARCHAR(40) NOT NULL, text VARCHAR(500) NOT NULL)"""
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": folder() / "django.sqlite3",
        "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE", "init_command": TABLE},
    }
}
# Without DEBUG Django mails errors to the ADMINS; we want them in the server's log.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "loggers": {"django": {"handlers": ["stderr"], "level": "ERROR"}},
}
