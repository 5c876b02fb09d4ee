"""Whether a user may. Not for: whose token it is (`tokens.py`)."""

from sandbox.sugarcrm.errors import SugarError
from sandbox.sugarcrm.schema import Module
from sandbox.sugarcrm.users import User


def need(user: User, action: str, module: Module) -> None:
    """Raises SugarError (403) where the user's role refuses it."""
    if not user.may("access", module.name) or not user.may(action, module.name):
        raise SugarError("not_authorized")
