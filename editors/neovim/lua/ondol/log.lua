--- The log of recent events for :Ondol log, and the messages to the user.
local M = {}

local limit = 300
local entries = {}
local notified = {}

--- Adds a line to the log.
---@param format string
function M.add(format, ...)
  local message = select('#', ...) > 0 and format:format(...) or format
  for _, line in ipairs(vim.split(message, '\n', { plain = true, trimempty = true })) do
    entries[#entries + 1] = os.date('%H:%M:%S ') .. line
  end
  while #entries > limit do
    table.remove(entries, 1)
  end
end

--- The lines of the log.
---@return string[]
function M.lines()
  return vim.deepcopy(entries)
end

--- Shortens a message to one line. Neovim shows "Press ENTER" for a longer message and discards the next key. Messages
--- that a plugin displays are not shortened. :Ondol log contains the whole message.
local function fit(message)
  local source = debug.getinfo(vim.notify, 'S').source -- a file path if a plugin replaced it
  if source:find('^@') and not source:find('^@vim/') then
    return message
  end
  vim.cmd('redraw')
  local space, note = vim.v.echospace, ' … (:Ondol log)'
  if vim.fn.strdisplaywidth(message) <= space then
    return message
  end
  return vim.fn.strcharpart(message, 0, math.max(0, space - vim.fn.strdisplaywidth(note))) .. note
end

--- Shows a message and logs it. Can be called from any context.
---@param message string
---@param level integer|nil
function M.notify(message, level)
  M.add('%s', message)
  vim.schedule(function()
    local prefixed = message:find('^Ondol') and message or 'Ondol: ' .. message
    vim.notify(fit((prefixed:gsub('%s+', ' '))), level or vim.log.levels.INFO, { title = 'Ondol' })
  end)
end

--- Shows a message, unless one of the same kind was shown before. Logs it in any case.
---@param kind string
---@param message string
function M.notify_once(kind, message)
  if notified[kind] then
    M.add('%s', message)
    return
  end
  notified[kind] = true
  M.notify(message, vim.log.levels.WARN)
end

--- Allows all messages to appear again, after the user restarted the servers.
function M.reset()
  notified = {}
end

return M
