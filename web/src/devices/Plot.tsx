import { useComputedColorScheme } from "@mantine/core";
import { LineChart } from "echarts/charts";
import { GridComponent, TooltipComponent } from "echarts/components";
import { init, use, type ECharts } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { useEffect, useRef } from "react";
import { useLanguage } from "../i18n/language";
import { shownNumber, shownTime } from "../reading/format";
import type { Plotted } from "../reading/gaps";

use([LineChart, GridComponent, TooltipComponent, SVGRenderer]);

const DAY_MS = 86_400_000;
const COLOR = "#0c8599";

interface Props {
  points: Plotted[];
  /** Those of them that no line reaches. */
  dots: Plotted[];
  /** Words of an enum's or flag's values, in the order of their numbers; empty for numbers. */
  members: string[];
  name: string;
  unit: string;
  decimals: number;
  spanMs: number;
  endMs: number;
}

/** A line over time. Gaps stay gaps; states are drawn as steps. */
export function Plot({ points, dots, members, name, unit, decimals, spanMs, endMs }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<ECharts | null>(null);
  const dark = useComputedColorScheme("light") === "dark";
  const { language } = useLanguage();
  useEffect(() => {
    if (!box.current) return;
    const made = init(box.current, null, { renderer: "svg" });
    chart.current = made;
    const observer = new ResizeObserver(() => made.resize());
    observer.observe(box.current);
    return () => {
      observer.disconnect();
      made.dispose();
      chart.current = null;
    };
  }, []);
  useEffect(() => {
    const shown = (value: number) => (members.length ? (members[value] ?? "") : `${shownNumber(value, decimals)} ${unit}`);
    const line = dark ? "#4a4a4a" : "#ddd";
    const ink = dark ? "#ccc" : "#444";
    const axisLabel = { color: ink, hideOverlap: true };
    const style = members.length > 0 ? { step: "end" as const, areaStyle: { opacity: 0.12 } } : {};
    chart.current?.setOption(
      {
        animation: false,
        color: [COLOR],
        grid: { left: 8, right: 20, top: 28, bottom: 4, containLabel: true },
        tooltip: {
          trigger: "axis",
          confine: true,
          backgroundColor: dark ? "#2e2e2e" : "#fff",
          textStyle: { color: ink },
          formatter: (items: { data: Plotted }[]) => {
            const point = items[0]?.data;
            return !point || point[1] === null ? "" : `${shownTime(point[0], language)}<br>${shown(point[1])}`;
          },
        },
        xAxis: {
          type: "time",
          min: endMs - spanMs,
          max: endMs,
          splitNumber: spanMs > DAY_MS ? 7 : 6,
          axisLabel: { ...axisLabel, formatter: (ms: number) => shownTime(ms, language, spanMs > DAY_MS ? "day" : "clock") },
          axisLine: { lineStyle: { color: line } },
        },
        yAxis: members.length
          ? { type: "value", min: 0, max: members.length - 1, interval: 1, axisLabel: { ...axisLabel, formatter: (value: number) => members[value] ?? "" }, splitLine: { lineStyle: { color: line } } }
          : { type: "value", scale: true, name: unit, nameTextStyle: { color: ink }, axisLabel: { ...axisLabel, formatter: (value: number) => shownNumber(value, 3) }, splitLine: { lineStyle: { color: line } } },
        series: [
          { type: "line", data: points, connectNulls: false, showSymbol: points.length < 60, symbolSize: 5, lineStyle: { width: 2 }, ...style },
          { type: "line", data: dots, showSymbol: true, symbol: "circle", symbolSize: 5, lineStyle: { width: 0 } },
        ],
      },
      { notMerge: true },
    );
  }, [points, dots, members, unit, decimals, spanMs, endMs, dark, language]);
  return <div ref={box} role="img" aria-label={name} style={{ width: "100%", height: members.length > 0 && members.length < 4 ? 160 : 260 }} />;
}
