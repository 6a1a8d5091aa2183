"""The metric vocabulary: every name a sample may carry, its UCUM unit, type, bounds and staleness limit.

Names are flat snake_case. Where a standard has a word, it is the standard's (OCPP measurands and statuses, FIWARE
ParkingSpot and WasteContainer); see docs/vocabulary.md. A metric's ``number`` travels in frames and is kept in the
telemetry store: append, never renumber or re-use.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

KINDS = ("parking", "charging", "waste", "building")
"""The four kinds of facility. A device belongs to one."""

ValueType = Literal["number", "boolean", "enum", "text"]

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


class Metric(NamedTuple):
    """One name of the vocabulary.

    unit            UCUM code; "" for booleans, enums, texts and plain counts
    type            number: int or float in [low, high]; enum: one of ``members``; text: at most 128 characters
    decimals        decimal places that the physical quantity is usually given in; a hint for codec and display
    stale_after_ms  a value older than this says nothing about the present
    members         enum words in the order of their numbers; append, never reorder
    """

    number: int
    name: str
    unit: str
    type: ValueType
    low: float
    high: float
    decimals: int
    stale_after_ms: int
    members: tuple[str, ...]
    en: str
    zh: str


TEXT_LENGTH_MAX = 128

SPOT_STATUS = ("unknown", "free", "occupied", "closed")  # FIWARE ParkingSpot.status
CONNECTOR_STATUS = (  # OCPP 1.6 ChargePointStatus
    "Available", "Preparing", "Charging", "SuspendedEV", "SuspendedEVSE", "Finishing", "Reserved", "Unavailable",
    "Faulted",
)  # fmt: skip
ERROR_CODE = (  # OCPP 1.6 ChargePointErrorCode
    "NoError", "ConnectorLockFailure", "EVCommunicationError", "GroundFailure", "HighTemperature", "InternalError",
    "LocalListConflict", "OtherError", "OverCurrentFailure", "OverVoltage", "PowerMeterFailure", "PowerSwitchFailure",
    "ReaderFailure", "ResetFailure", "UnderVoltage", "WeakSignal",
)  # fmt: skip
BARRIER_STATE = ("unknown", "closed", "opening", "open", "closing", "blocked")
CONTAINER_STATUS = ("unknown", "ok", "lidOpen", "dropped", "moved", "vandalized", "burning")  # FIWARE WasteContainer
COMPACTOR_STATE = ("unknown", "idle", "compacting", "jammed")
HVAC_MODE = ("off", "heat", "cool", "auto", "fan")
DOOR_STATE = ("unknown", "closed", "open", "held", "forced")

_BY_NAME: dict[str, Metric] = {}


def _metric(
    number: int,
    name: str,
    unit: str,
    low: float,
    high: float,
    decimals: int,
    stale_after_ms: int,
    en: str,
    zh: str,
) -> None:
    _BY_NAME[name] = Metric(number, name, unit, "number", low, high, decimals, stale_after_ms, (), en, zh)


def _flag(number: int, name: str, stale_after_ms: int, en: str, zh: str) -> None:
    _BY_NAME[name] = Metric(number, name, "", "boolean", 0, 1, 0, stale_after_ms, (), en, zh)


def _enum(number: int, name: str, members: tuple[str, ...], stale_after_ms: int, en: str, zh: str) -> None:
    _BY_NAME[name] = Metric(number, name, "", "enum", 0, len(members) - 1, 0, stale_after_ms, members, en, zh)


def _text(number: int, name: str, en: str, zh: str, stale_after_ms: int = 30 * DAY_MS) -> None:
    _BY_NAME[name] = Metric(number, name, "", "text", 0, 0, 0, stale_after_ms, (), en, zh)


# fmt: off
# --- health, all kinds: 1..39 ---
_metric(1, "battery_level", "%", 0, 100, 1, 2 * DAY_MS, "Battery", "电量")
_metric(2, "battery_voltage", "V", 0, 60, 3, 2 * DAY_MS, "Battery voltage", "电池电压")
_flag(3, "battery_low", 2 * DAY_MS, "Battery low", "电量低")
_flag(4, "mains_power", HOUR_MS, "Mains power", "市电")
_flag(5, "tamper", DAY_MS, "Tamper", "防拆")
_flag(6, "fault", HOUR_MS, "Fault", "故障")
_metric(7, "fault_code", "", -2147483648, 4294967295, 0, HOUR_MS, "Fault code", "故障码")
_metric(8, "device_temperature", "Cel", -60, 200, 1, HOUR_MS, "Device temperature", "设备温度")
_metric(9, "link_quality", "", 0, 255, 0, DAY_MS, "Link quality", "链路质量")
_metric(10, "rssi", "dB[mW]", -200, 50, 0, DAY_MS, "Signal strength", "信号强度")
_metric(11, "snr", "dB", -50, 50, 1, DAY_MS, "Signal to noise", "信噪比")
_text(12, "firmware_version", "Firmware version", "固件版本", 365 * DAY_MS)
_text(13, "reset_cause", "Reset cause", "重启原因")
_metric(14, "longitude", "deg", -180, 180, 6, 30 * DAY_MS, "Longitude", "经度")
_metric(15, "latitude", "deg", -90, 90, 6, 30 * DAY_MS, "Latitude", "纬度")
_metric(16, "frame_counter", "", 0, 4294967295, 0, DAY_MS, "Uplink counter", "上行帧计数")
_metric(17, "message_count", "", 0, 9007199254740991, 0, HOUR_MS, "Message counter", "消息计数")
_metric(18, "spreading_factor", "", 5, 12, 0, DAY_MS, "Spreading factor", "扩频因子")
# --- parking: 40..79 ---
_enum(40, "spot_status", SPOT_STATUS, 2 * HOUR_MS, "Place", "车位状态")
_metric(41, "previous_state_duration", "min", 0, 1000000, 0, DAY_MS, "Previous state lasted", "前一状态时长")
_text(42, "tag_id", "Permit tag", "许可标签")
_metric(43, "tag_battery_voltage", "V", 0, 60, 3, 30 * DAY_MS, "Tag battery voltage", "标签电池电压")
_enum(44, "barrier_state", BARRIER_STATE, 10 * MINUTE_MS, "Barrier", "道闸状态")
_flag(45, "vehicle_present", 10 * MINUTE_MS, "Vehicle in the lane", "车道有车")
_metric(46, "free_spaces", "", -100000, 100000, 0, HOUR_MS, "Free places", "空余车位")
_metric(47, "occupied_spaces", "", -100000, 100000, 0, HOUR_MS, "Occupied places", "占用车位")
_metric(48, "total_spaces", "", 0, 100000, 0, 30 * DAY_MS, "Places", "车位总数")
_metric(49, "passage_count", "", 0, 9007199254740991, 0, HOUR_MS, "Passages", "通行次数")
# --- charging: 80..139 ---
_enum(80, "connector_status", CONNECTOR_STATUS, 15 * MINUTE_MS, "Charger", "充电枪状态")
_enum(81, "error_code", ERROR_CODE, 15 * MINUTE_MS, "Charger error", "充电错误")
_text(82, "vendor_error_code", "Vendor error code", "厂商错误码", DAY_MS)
_metric(83, "power_active_import", "W", -1000000, 10000000, 1, 15 * MINUTE_MS, "Power", "功率")
_metric(84, "energy_active_import_register", "W.h", 0, 1e12, 1, DAY_MS, "Energy meter", "电能表读数")
_metric(85, "energy_active_export_register", "W.h", 0, 1e12, 1, DAY_MS, "Export meter", "反向电能")
_metric(86, "current_import", "A", -5000, 5000, 3, 15 * MINUTE_MS, "Current", "电流")
_metric(87, "current_import_l1", "A", -5000, 5000, 3, 15 * MINUTE_MS, "Current L1", "A 相电流")
_metric(88, "current_import_l2", "A", -5000, 5000, 3, 15 * MINUTE_MS, "Current L2", "B 相电流")
_metric(89, "current_import_l3", "A", -5000, 5000, 3, 15 * MINUTE_MS, "Current L3", "C 相电流")
_metric(90, "current_offered", "A", 0, 5000, 1, DAY_MS, "Current limit", "限流值")
_metric(91, "voltage", "V", -2000, 2000, 1, 15 * MINUTE_MS, "Voltage", "电压")
_metric(92, "voltage_l1", "V", -2000, 2000, 1, 15 * MINUTE_MS, "Voltage L1", "A 相电压")
_metric(93, "voltage_l2", "V", -2000, 2000, 1, 15 * MINUTE_MS, "Voltage L2", "B 相电压")
_metric(94, "voltage_l3", "V", -2000, 2000, 1, 15 * MINUTE_MS, "Voltage L3", "C 相电压")
_metric(95, "voltage_l1_l2", "V", -2000, 2000, 1, 15 * MINUTE_MS, "Voltage L1-L2", "AB 线电压")
_metric(96, "voltage_l2_l3", "V", -2000, 2000, 1, 15 * MINUTE_MS, "Voltage L2-L3", "BC 线电压")
_metric(97, "voltage_l3_l1", "V", -2000, 2000, 1, 15 * MINUTE_MS, "Voltage L3-L1", "CA 线电压")
_metric(98, "power_active_import_l1", "W", -1000000, 10000000, 1, 15 * MINUTE_MS, "Power L1", "A 相功率")
_metric(99, "power_active_import_l2", "W", -1000000, 10000000, 1, 15 * MINUTE_MS, "Power L2", "B 相功率")
_metric(100, "power_active_import_l3", "W", -1000000, 10000000, 1, 15 * MINUTE_MS, "Power L3", "C 相功率")
_metric(101, "power_reactive_import", "var", -1000000, 10000000, 1, 15 * MINUTE_MS, "Reactive power", "无功功率")
_metric(102, "power_factor", "", -1, 1, 3, 15 * MINUTE_MS, "Power factor", "功率因数")
_metric(103, "frequency", "Hz", 0, 1000, 2, 15 * MINUTE_MS, "Frequency", "频率")
_metric(104, "residual_current", "mA", -100000, 100000, 2, 15 * MINUTE_MS, "Residual current", "剩余电流")
_metric(105, "soc", "%", 0, 100, 0, 15 * MINUTE_MS, "Car's charge", "车辆电量")
_flag(106, "plugged", 15 * MINUTE_MS, "Plugged in", "已插枪")
_metric(107, "session_energy", "W.h", 0, 1e9, 1, 15 * MINUTE_MS, "Session energy", "本次电量")
_metric(108, "session_duration", "s", 0, 31536000, 0, 15 * MINUTE_MS, "Session time", "本次时长")
_metric(109, "session_cost", "CNY", 0, 1000000, 3, 15 * MINUTE_MS, "Session cost", "本次费用")
_metric(110, "remaining_time", "s", 0, 31536000, 0, 15 * MINUTE_MS, "Time left", "剩余时间")
_metric(111, "cable_temperature", "Cel", -60, 250, 0, 15 * MINUTE_MS, "Cable temperature", "枪线温度")
_metric(112, "battery_max_temperature", "Cel", -60, 250, 0, 15 * MINUTE_MS, "Car battery, hottest", "电池最高温度")
_text(113, "pile_code", "Pile code", "桩编号", 365 * DAY_MS)
_text(114, "connector_id", "Connector", "枪号", 365 * DAY_MS)
_flag(115, "csms_connected", HOUR_MS, "Back office connected", "后台已连接")
# --- waste: 140..169 ---
_metric(140, "fill_distance", "mm", 0, 100000, 1, DAY_MS, "Distance to waste", "距垃圾距离")
_metric(141, "fill_level", "%", 0, 100, 1, DAY_MS, "Fill level", "满溢度")
_flag(142, "full_alarm", DAY_MS, "Full", "满溢报警")
_flag(143, "fire_alarm", DAY_MS, "Fire", "火警")
_flag(144, "tilt_alarm", DAY_MS, "Tilted", "倾倒报警")
_metric(145, "tilt_angle", "deg", -180, 180, 1, DAY_MS, "Tilt", "倾角")
_flag(146, "temperature_alarm", DAY_MS, "Temperature alarm", "温度报警")
_enum(147, "container_status", CONTAINER_STATUS, DAY_MS, "Bin", "垃圾桶状态")
_enum(148, "compactor_state", COMPACTOR_STATE, DAY_MS, "Compactor", "压缩机状态")
_metric(149, "compaction_count", "", 0, 9007199254740991, 0, DAY_MS, "Compactions", "压缩次数")
_flag(150, "lid_open", DAY_MS, "Lid open", "桶盖打开")
_metric(151, "cargo_weight", "kg", 0, 10000, 1, DAY_MS, "Weight", "重量")
_metric(152, "collection_count", "", 0, 9007199254740991, 0, 30 * DAY_MS, "Collections", "清运次数")
# --- building: 170..239 ---
_metric(170, "temperature", "Cel", -60, 200, 2, HOUR_MS, "Temperature", "温度")
_metric(171, "humidity", "%", 0, 100, 1, HOUR_MS, "Humidity", "湿度")
_metric(172, "co2", "[ppm]", 0, 100000, 0, HOUR_MS, "CO₂", "二氧化碳")
_metric(173, "pressure", "hPa", 100, 2000, 1, HOUR_MS, "Air pressure", "气压")
_metric(174, "illuminance", "lx", 0, 300000, 0, HOUR_MS, "Light", "照度")
_flag(175, "motion", HOUR_MS, "Motion", "人体移动")
_metric(176, "motion_count", "", 0, 4294967295, 0, HOUR_MS, "Motion count", "移动次数")
_metric(177, "tvoc", "[ppb]", 0, 1000000, 0, HOUR_MS, "TVOC", "总挥发物")
_metric(178, "tvoc_mass", "ug/m3", 0, 1000000, 0, HOUR_MS, "TVOC (mass)", "总挥发物（质量）")
_metric(179, "tvoc_index", "", 0, 1000, 2, HOUR_MS, "TVOC index", "总挥发物指数")
_metric(180, "hcho", "ug/m3", 0, 1000000, 0, HOUR_MS, "Formaldehyde", "甲醛")
_metric(181, "pm2_5", "ug/m3", 0, 100000, 0, HOUR_MS, "PM2.5", "PM2.5")
_metric(182, "pm10", "ug/m3", 0, 100000, 0, HOUR_MS, "PM10", "PM10")
_metric(183, "sound_level", "dB[SPL]", 0, 200, 1, HOUR_MS, "Sound", "噪声")
_flag(184, "relay_on", HOUR_MS, "Switched on", "继电器接通")
_metric(185, "setpoint_temperature", "Cel", -20, 100, 1, DAY_MS, "Set-point", "设定温度")
_metric(186, "valve_position", "%", 0, 100, 0, DAY_MS, "Valve position", "阀门开度")
_flag(187, "valve_open", DAY_MS, "Valve open", "阀门打开")
_metric(188, "fan_speed", "", 0, 100, 0, HOUR_MS, "Fan speed", "风速")
_enum(189, "hvac_mode", HVAC_MODE, DAY_MS, "Mode", "空调模式")
_flag(190, "window_open", HOUR_MS, "Window open", "窗户打开")
_flag(191, "child_lock", DAY_MS, "Child lock", "童锁")
_flag(192, "water_leak", DAY_MS, "Water leak", "漏水")
_flag(193, "smoke_alarm", DAY_MS, "Smoke", "烟雾报警")
_metric(194, "water_volume", "m3", 0, 1e9, 3, 2 * DAY_MS, "Water meter", "水表读数")
_metric(195, "water_flow", "m3/h", -100000, 100000, 3, HOUR_MS, "Water flow", "水流量")
_metric(196, "water_temperature", "Cel", -60, 200, 1, 2 * DAY_MS, "Water temperature", "水温")
_text(197, "meter_status", "Meter status", "表计状态", 2 * DAY_MS)
_enum(198, "door_state", DOOR_STATE, HOUR_MS, "Door", "门状态")
_metric(199, "light_level", "", 0, 255, 0, HOUR_MS, "Light level", "光照等级")
_metric(200, "head_count", "", 0, 100000, 0, HOUR_MS, "People", "人数")
# fmt: on

METRICS: Mapping[str, Metric] = _BY_NAME
METRICS_BY_NUMBER: Mapping[int, Metric] = {metric.number: metric for metric in _BY_NAME.values()}


def fault_of(metric: Metric, value: object) -> str:
    """Why a value may not stand under this metric: "" when it may, else "wrong_type" or "out_of_range"."""
    if metric.type == "number":
        if isinstance(value, bool) or not isinstance(value, int | float):
            return "wrong_type"
        return "" if metric.low <= value <= metric.high else "out_of_range"  # NaN fails both comparisons
    if metric.type == "boolean":
        return "" if isinstance(value, bool) else "wrong_type"
    if not isinstance(value, str):
        return "wrong_type"
    if metric.type == "enum":
        return "" if value in metric.members else "out_of_range"
    return "" if len(value) <= TEXT_LENGTH_MAX else "out_of_range"


URGENT = frozenset({
    "tamper", "fault", "fault_code", "error_code", "connector_status", "energy_active_import_register",
    "energy_active_export_register", "session_energy", "session_cost", "residual_current", "fire_alarm",
    "temperature_alarm", "tilt_alarm", "container_status", "barrier_state", "door_state", "water_leak", "smoke_alarm",
})  # fmt: skip
"""Money and safety: a reading with one of these travels in the urgent lane, and is dropped last."""

assert set(METRICS) >= URGENT
