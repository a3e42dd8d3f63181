module chanlab/bench/peers

go 1.22
