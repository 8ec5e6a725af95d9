from pillarbox_testing import mail, mail_server  # noqa: F401
