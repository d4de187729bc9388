"""Runs a real Home Assistant on a broker and tells what it makes of the documents there.

usage: home_assistant.py FOLDER HTTP_PORT BROKER_PORT

Keeps FOLDER/seen.json up to date: version, devices, entities with their states, notifications
that were made, and every warning of the log that has to do with MQTT, the registries, templates
or automations. A line on standard input is a button to press; its end is the end.

FOLDER/automations.yaml is loaded where there is one. FOLDER/templates.json is a list of
templates; seen.json has what each gives now, or its fault.

Home Assistant is as it is, but for the parts beside MQTT: of those that a new installation
brings along (frontend, voice, backup …) none is loaded but automations.
"""

import asyncio
import importlib
import json
import logging
import os
import sys
import threading

from homeassistant import bootstrap, const, runner
from homeassistant.components import persistent_notification
from homeassistant.core import callback
from homeassistant.exceptions import TemplateError
from homeassistant.helpers import device_registry, entity_registry
from homeassistant.helpers.template import Template

INTERVAL_SECONDS = 0.3
PLATFORMS = ("binary_sensor", "button", "event", "sensor")
SUBJECTS = ("mqtt", "registry", "template", "automation", "script", "config")
TOLD = []
NOTIFIED = []


class Collector(logging.Handler):
    """Collects what Home Assistant complains about."""

    def emit(self, record):
        text = f"{record.name}: {record.getMessage()}"
        if record.exc_info:
            text += f" ({record.exc_info[1]!r})"
        of_interest = any(subject in record.name for subject in SUBJECTS)
        if of_interest or "mqtt" in text.lower():
            TOLD.append(text)


def seen(hass, templates):
    """What is there now."""
    devices = device_registry.async_get(hass).devices
    entities = entity_registry.async_get(hass).entities
    by_id = {device.id: device for device in devices.values()}
    rows = []
    for entity in entities.values():
        state = hass.states.get(entity.entity_id)
        attributes = json.loads(json.dumps(dict(state.attributes), default=str)) if state else {}
        rows.append(
            {
                "entity_id": entity.entity_id,
                "unique_id": entity.unique_id,
                "device": device_name(by_id.get(entity.device_id)),
                "disabled": entity.disabled_by is not None,
                "state": state.state if state else None,
                "attributes": attributes,
            }
        )
    return {
        "version": const.__version__,
        "devices": sorted(
            [device_name(d), device_name(by_id.get(d.via_device_id))] for d in by_id.values()
        ),
        "entities": sorted(rows, key=lambda row: row["entity_id"]),
        "notified": list(NOTIFIED),
        "rendered": [rendered(hass, text) for text in templates],
        "told": list(TOLD),
    }


def rendered(hass, text):
    """What a card shows of a template; a name that is not defined is a fault."""
    try:
        return Template(text, hass).async_render(parse_result=False, strict=True)
    except TemplateError as error:
        return f"FAULT: {error}"


@callback
def notified(update, notifications):
    """Collects notifications as they are made; one with an id replaces the one before."""
    if update == persistent_notification.UpdateType.ADDED:
        keys = ("notification_id", "title", "message")
        NOTIFIED.extend([one[key] for key in keys] for one in notifications.values())


def device_name(device):
    return device.name or "" if device else ""


def write(folder, found):
    path = os.path.join(folder, "seen.json")
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(found, file)
    os.replace(path + ".new", path)


def configure(folder, http_port):
    """Writes the configuration; the templates that are to be rendered."""
    with open(os.path.join(folder, "configuration.yaml"), "w", encoding="utf-8") as file:
        file.write(f"http:\n  server_host: 127.0.0.1\n  server_port: {http_port}\n")
        if os.path.exists(os.path.join(folder, "automations.yaml")):
            file.write("automation: !include automations.yaml\n")
    try:
        with open(os.path.join(folder, "templates.json"), encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return []


def import_platforms():
    """Imports what Home Assistant otherwise imports in a thread, when the first entity comes.

    Until such an import is done, validators that the module shares with others check nothing
    (voluptuous compiles them anew, in place), so that an entity of another platform may be lost
    until its document comes again. That is seldom, and no fault of the document's.
    """
    for platform in PLATFORMS:
        importlib.import_module(f"homeassistant.components.mqtt.{platform}")


async def run(folder, http_port, broker_port):
    templates = configure(folder, http_port)
    collector = Collector(logging.WARNING)
    logging.getLogger().addHandler(collector)
    bootstrap.DEFAULT_INTEGRATIONS = set()
    bootstrap.CRITICAL_INTEGRATIONS = set()
    hass = await bootstrap.async_setup_hass(
        runner.RuntimeConfig(config_dir=folder, skip_pip=True)
    )
    persistent_notification.async_register_callback(hass, notified)
    await hass.async_start()
    if not hass.config_entries.async_entries("mqtt"):
        await add_broker(hass, broker_port)
    lines = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def read():
        for line in sys.stdin:
            loop.call_soon_threadsafe(lines.put_nowait, line.strip())
        loop.call_soon_threadsafe(lines.put_nowait, "")

    threading.Thread(target=read, daemon=True).start()
    while True:
        await hass.async_add_executor_job(write, folder, seen(hass, templates))
        try:
            line = await asyncio.wait_for(lines.get(), INTERVAL_SECONDS)
        except TimeoutError:
            continue
        if not line:
            break
        await hass.services.async_call("button", "press", {"entity_id": line})
    await hass.async_stop(force=True)


async def add_broker(hass, port):
    """What a user does under Settings, Devices & services."""
    flow = await hass.config_entries.flow.async_init("mqtt", context={"source": "user"})
    result = await hass.config_entries.flow.async_configure(
        flow["flow_id"], {"broker": "127.0.0.1", "port": port}
    )
    if result["type"] != "create_entry":
        sys.exit(f"no MQTT entry: {result}")


if __name__ == "__main__":
    import_platforms()
    asyncio.run(run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
