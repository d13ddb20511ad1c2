# SPDX-License-Identifier: Apache-2.0
# Against the published measured rows, where a copy lies beside the project: median errors per class.
# shellcheck shell=sh disable=SC2154
tool=$(dirname "$TARN")/npu-timing
tables=$SRC/../shared/reference/npu-timing
[ -f "$tables/dpu_measured.csv" ] && [ -f "$tables/dma_measured.csv" ] || skip "no measured rows beside the project"

# median FILE CLASS_EXPRESSION LIMIT: of |predicted / measured - 1| over the rows for which the awk expression holds
median()
{
	expect_exit 0 "$tool" predict "$1"
	tr -d '\r' <"$1" | awk -F, -v predictions="$WORK/stdout" "
		NR == 1 { for (i = 1; i <= NF; i++) col[\$i] = i; next }
		{ getline p <predictions; gt = \$(col[\"gt_dpu_cycles\"] ? col[\"gt_dpu_cycles\"] : col[\"us\"]) }
		($2) { e = p / gt - 1; print e < 0 ? -e : e }" | sort -g >errors
	n=$(wc -l <errors)
	[ "$n" -gt 0 ] || fail "no rows of: $2"
	m=$(sed -n "$(((n + 1) / 2))p" errors)
	awk "BEGIN { exit !($m <= $3) }" || fail "median $m of $n rows is above $3: $2"
}

dpu=$tables/dpu_measured.csv
dense='$col["op"] == "CONVOLUTION" && $col["suspect"] == 0 && !$col["wt_sparsity_enabled"] && !$col["act_sparsity_enabled"]'
median "$dpu" "$dense" 0.05
median "$dpu" '$col["op"] == "DW_CONVOLUTION"' 0.03
median "$dpu" '$col["op"] == "MAXPOOL"' 0.05
median "$dpu" '$col["op"] == "ELTWISE"' 0.10
median "$tables/dma_measured.csv" '$col["bytes"] >= 4096 && $col["source_set"] !~ /GEAR/' 0.05
