-- For wrk: callbacks of the documented shape, each for a message of its own, with a random UUID as its id.
math.randomseed(os.time())

local before = '{"trackingId":"'
local after = [[","campaignTrackingId":"62d4a3cc-6f32-4ba2-b99a-b661fb27fdd5","to":"+306912345678","from":"Routeetest",]]
  .. [["groups":["vip"],"country":"GR","status":{"name":"DELIVERED","reason":{"detailedStatus":"Delivered",]]
  .. [["description":"The message was delivered to its recipient."},"updatedDate":"2026-07-05T10:28:44.996Z"},]]
  .. [["body":{"text":"Spring offers are here"},"ttl":3600,"label":"spring","price":0.035,"direction":"Outbound",]]
  .. [["originatingService":"Viber","createdAt":"2026-07-05T10:28:44.566Z"}]]

local function hex(digits)
  return string.format("%0" .. digits .. "x", math.random(0, 16 ^ digits - 1))
end

function request()
  local id = hex(8) .. "-" .. hex(4) .. "-4" .. hex(3) .. "-a" .. hex(3) .. "-" .. hex(6) .. hex(6)
  return wrk.format("POST", "/callbacks", { ["content-type"] = "application/json" }, before .. id .. after)
end

function done(summary, latency, _)
  print(string.format("%.0f per second, p50 %.1f ms, p99 %.1f ms, %d not 200", summary.requests / summary.duration * 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, summary.errors.status))
end
