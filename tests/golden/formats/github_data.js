window.BENCHMARK_DATA = {
 "lastUpdate": 1700000000000,
 "repoUrl": "https://github.com/o/r",
 "entries": {
  "Python": [
   {
    "commit": {
     "id": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
     "message": "m"
    },
    "date": 1700000000000,
    "tool": "pytest",
    "benches": [
     {
      "name": "test_a",
      "value": 10.0,
      "unit": "iter/sec",
      "range": "stddev: 0.001",
      "extra": "mean: 1 sec"
     }
    ]
   },
   {
    "commit": {
     "id": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
     "message": "m"
    },
    "date": 1700000000000,
    "tool": "pytest",
    "benches": [
     {
      "name": "test_a",
      "value": 12.5,
      "unit": "iter/sec",
      "range": "stddev: 0.001",
      "extra": "mean: 1 sec"
     }
    ]
   }
  ],
  "Go": [
   {
    "commit": {
     "id": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
    },
    "date": 1,
    "tool": "go",
    "benches": [
     {
      "name": "BenchmarkFib",
      "value": 350.0,
      "unit": "ns/op",
      "extra": "100 times"
     }
    ]
   }
  ]
 }
}
