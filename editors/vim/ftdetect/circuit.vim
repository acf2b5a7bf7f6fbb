autocmd BufRead,BufNewFile *.circuit setfiletype circuit
