-- For wrk: readers of the page, each of which asks again a tenth of a second after it has it.
function delay()
  return 100
end
