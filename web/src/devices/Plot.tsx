import { useComputedColorScheme } from "@mantine/core";
import { LineChart } from "echarts/charts";
import { GridComponent, TooltipComponent } from "echarts/components";
import { init, use, type ECharts } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { useEffect, useRef } from "react";
import type { Plotted } from "../reading/gaps";

use([LineChart, GridComponent, TooltipComponent, SVGRenderer]);

interface Props {
  points: Plotted[];
  /** Words of an enum's or flag's values, in the order of their numbers; empty for numbers. */
  members: string[];
  name: string;
  unit: string;
  spanMs: number;
  endMs: number;
}

/** A line over time. Gaps stay gaps; states are drawn as steps. */
export function Plot({ points, members, name, unit, spanMs, endMs }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<ECharts | null>(null);
  const dark = useComputedColorScheme("light") === "dark";
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
    const shown = (value: number) => (members.length ? (members[value] ?? "") : `${value.toLocaleString("en", { maximumFractionDigits: 3 })} ${unit}`);
    const line = dark ? "#555" : "#ccc";
    const ink = dark ? "#ccc" : "#444";
    chart.current?.setOption(
      {
        animation: false,
        grid: { left: 8, right: 16, top: 28, bottom: 4, containLabel: true },
        tooltip: {
          trigger: "axis",
          formatter: (items: { data: Plotted }[]) => {
            const point = items[0]?.data;
            return !point || point[1] === null ? "" : `${new Date(point[0]).toLocaleString()}<br>${shown(point[1])}`;
          },
        },
        xAxis: { type: "time", min: endMs - spanMs, max: endMs, axisLabel: { color: ink, hideOverlap: true }, axisLine: { lineStyle: { color: line } } },
        yAxis: members.length
          ? { type: "value", min: 0, max: members.length - 1, interval: 1, axisLabel: { color: ink, formatter: (value: number) => members[value] ?? "" }, splitLine: { lineStyle: { color: line } } }
          : { type: "value", scale: true, name: unit, nameTextStyle: { color: ink }, axisLabel: { color: ink }, splitLine: { lineStyle: { color: line } } },
        series: [
          {
            type: "line", name, data: points, connectNulls: false, showSymbol: points.length < 60, symbolSize: 5,
            step: members.length ? "end" : false, lineStyle: { width: 2, color: "#0c8599" }, itemStyle: { color: "#0c8599" },
          },
        ],
      },
      { notMerge: true },
    );
  }, [points, members, name, unit, spanMs, endMs, dark]);
  return <div ref={box} role="img" aria-label={name} style={{ width: "100%", height: 260 }} />;
}
