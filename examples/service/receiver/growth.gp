# Draws growth.svg from the tables that `receiver/grow` prints of databases of either kind; apt-get install gnuplot-nox
#
#   receiver/grow sqlite:… | tee sqlite.tsv; receiver/grow postgres://… | tee postgresql.tsv; gnuplot receiver/growth.gp
set terminal svg size 800,350 font "sans-serif,13" background "white"
set output "growth.svg"
set datafile separator "\t"
set logscale x
set xrange [7e3:1.5e7]
set xtics ("10 000" 1e4, "100 000" 1e5, "1 million" 1e6, "10 million" 1e7)
set xlabel "messages"
set grid ytics lc rgb "#dddddd"
set border 3
set tics nomirror
set yrange [0:*]
set style line 1 lc rgb "black" lw 2 pt 7
set style line 2 lc rgb "#777777" lw 2 dt 2 pt 4 ps 1.2
set multiplot layout 1,2

set title "callbacks per second, 64 connections"
set key bottom left
plot "sqlite.tsv" using 1:10 with linespoints ls 1 title "SQLite", \
     "postgresql.tsv" using 1:10 with linespoints ls 2 title "PostgreSQL"

set title "first GET /, milliseconds"
set key top right
# Room for the key.
set offsets 0, 0, graph 0.5, 0
plot "sqlite.tsv" using 1:($3*1000) with linespoints ls 1 title "SQLite", \
     "postgresql.tsv" using 1:($3*1000) with linespoints ls 2 title "PostgreSQL"
