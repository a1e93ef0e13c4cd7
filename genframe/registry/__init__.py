"""What the plugins offer: found by metadata, loaded one by one, looked up by kind and name."""

from genframe.registry.lookup import Registry, load_registry, register
from genframe.registry.records import BrokenPlugin, PluginInfo, Registered

__all__ = ["BrokenPlugin", "PluginInfo", "Registered", "Registry", "load_registry", "register"]
