# SPDX-License-Identifier: Apache-2.0
# npu-timing: column order, quoting and line ends do not matter; every fault names its file, line and column.
# shellcheck shell=sh disable=SC2154
tool=$(dirname "$TARN")/npu-timing

expect_exit 0 "$tool" help
expect_stdout_contains "npu-timing predict"
expect_exit 2 "$tool"
expect_exit 2 "$tool" predict
expect_exit 2 "$tool" guess a.csv
expect_stderr_lines 1
expect_exit 3 "$tool" predict absent.csv
expect_stderr_contains absent.csv
expect_stderr_lines 1
expect_exit 0 "$tool" arch
expect_stdout_contains assumed
expect_stdout_contains "NPU 4000"

printf 'device,direction,bytes,us\nVPU_4_0,DDR2CMX,65536,\nVPU_2_7,CMX2CMX,1024,9\n' >a.csv
printf '\357\273\277"us", "bytes" ,direction,"device"\r\n\r\n,65536,"DDR2CMX",VPU_4_0\r\n"a ""b"", c",1024,CMX2CMX,"VPU_2_7"' >b.csv
expect_exit 0 "$tool" predict a.csv
[ "$(wc -l <stdout)" -eq 2 ] || fail "not one line a row"
cp stdout a.out
expect_exit 0 "$tool" predict b.csv
cmp a.out stdout || fail "quoting, order or line ends changed the prediction"

head='device,op,dtype_in,in_w,in_h,in_c,out_w,out_h,out_c,kw,kh,sw,sh'
{ echo "$head,mpe_mode"; for m in CUBOID_16x16 CUBOID_8x16 CUBOID_4x16 ''; do echo "VPU_4_0,CONVOLUTION,UINT8,28,28,64,28,28,64,1,1,1,1,$m"; done; } >dpu.csv
expect_exit 0 "$tool" predict dpu.csv
[ "$(sed -n 4p stdout)" = "$(sed 4d stdout | sort -n | head -n 1)" ] || fail "no mode: not the best one"

# bad NEEDLE LINE...: the file of these lines is refused, naming NEEDLE, with nothing on stdout
bad()
{
	needle=$1
	shift
	printf '%s\n' "$@" >bad.csv
	expect_exit 3 "$tool" predict bad.csv
	expect_stderr_lines 1
	expect_stderr_contains "$needle"
	[ ! -s "$WORK/stdout" ] || fail "printed something for a bad file"
}
good='4000,CONVOLUTION,UINT8,28,28,64,28,28,64,1,1,1,1'
bad "neither" 'a,b' '1,2'
bad "no column 'bytes'" 'device,direction' '4000,DDR2CMX'
bad "bad.csv:3: column 'in_w'" "$head" "$good" '4000,CONVOLUTION,UINT8,x,28,64,28,28,64,1,1,1,1'
bad "bad.csv:2: column 'sh'" "$head" '4000,CONVOLUTION,UINT8,28,28,64,28,28,64,1,1,1'
bad "column 'op': unknown value 'CONV'" "$head" '4000,CONV,UINT8,28,28,64,28,28,64,1,1,1,1'
bad "column 'device'" "$head" '9,CONVOLUTION,UINT8,28,28,64,28,28,64,1,1,1,1'
bad "bad.csv:2: more cells" "$head" "$good,7"
bad "out_h is 0" "$head" '4000,CONVOLUTION,UINT8,28,28,64,28,0,64,1,1,1,1'
bad "kernel width is 12" "$head" '4000,CONVOLUTION,UINT8,28,28,64,28,28,64,12,1,1,1'
bad "never closed" "$head" "\"$good"
bad "column 'wt_sparsity_enabled'" "$head,wt_sparsity_enabled" "$good,perhaps"
bad "column 'wt_sparsity'" "$head,wt_sparsity" "$good,1.5"
bad "column 'bytes'" 'device,direction,bytes' '4000,DDR2CMX,-1'
bad "column 'bytes'" 'device,direction,bytes' '4000,DDR2CMX,99999999999999999999'
bad "unknown value 'a?b'" 'device,direction,bytes' '4000,"a' 'b",1'
: >bad.csv
expect_exit 3 "$tool" predict bad.csv
expect_stderr_contains empty

# The header alone is a file of no rows.
echo "$head" >none.csv
expect_exit 0 "$tool" predict none.csv
[ ! -s "$WORK/stdout" ] || fail "predicted what is not there"
