# Draws growth.svg from the table that `receiver/grow` prints; apt-get install gnuplot-nox
#
#   receiver/grow FILE... | tee growth.tsv && gnuplot receiver/growth.gp
set terminal svg size 800,350 font "sans-serif,13" background "white"
set output "growth.svg"
set datafile separator "\t"
set key autotitle columnhead bottom left
set logscale x
set xrange [7e3:1.5e7]
set xtics ("10 000" 1e4, "100 000" 1e5, "1 million" 1e6, "10 million" 1e7)
set xlabel "messages"
set grid ytics lc rgb "#dddddd"
set border 3
set tics nomirror
set yrange [0:*]
set multiplot layout 1,2

set title "callbacks per second, 64 connections"
plot "growth.tsv" using 1:10 with linespoints lc rgb "black" lw 2 pt 7 title "SQLite"

set title "milliseconds"
set key top right
# Room for the key.
set offsets 0, 0, graph 0.5, 0
plot "growth.tsv" using 1:($3*1000) with linespoints lc rgb "black" lw 2 pt 7 title "first GET /", \
     "" using 1:($6*1000) with linespoints lc rgb "#555555" lw 2 dt 2 pt 4 ps 1.2 title "reconcile, nothing due", \
     "" using 1:($5*1000) with linespoints lc rgb "#999999" lw 2 dt 3 pt 8 ps 1.2 title "one message"
